//! The part of SOQL that is needed to find contacts:
//! `SELECT a, b FROM Contact WHERE x = '…' [AND y IN ('…', '…')] [ORDER BY z] [LIMIT n]`.

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) columns: Vec<String>,
    pub(super) object: String,
    /// Each field with the values that it may have.
    pub(super) conditions: Vec<(String, Vec<String>)>,
    pub(super) limit: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

/// Reads a query. The error says what is wrong with it.
pub(super) fn parse(soql: &str) -> Result<Query, String> {
    let mut reader = Reader { tokens: tokens(soql)?, at: 0 };
    reader.keyword("SELECT")?;
    let mut columns = vec![reader.word()?];
    while reader.skip_mark(',') {
        columns.push(reader.word()?);
    }
    reader.keyword("FROM")?;
    let object = reader.word()?;
    let mut conditions = Vec::new();
    if reader.skip_keyword("WHERE") {
        conditions.push(reader.condition()?);
        while reader.skip_keyword("AND") {
            conditions.push(reader.condition()?);
        }
    }
    if reader.skip_keyword("ORDER") {
        reader.keyword("BY")?;
        reader.word()?;
        if !reader.skip_keyword("ASC") && reader.skip_keyword("DESC") {
            return Err("this simulator orders oldest first only".to_owned());
        }
    }
    let limit = if reader.skip_keyword("LIMIT") {
        Some(reader.word()?.parse().map_err(|_| "LIMIT must be a number".to_owned())?)
    } else {
        None
    };
    match reader.tokens.get(reader.at) {
        None => Ok(Query { columns, object, conditions, limit }),
        Some(token) => Err(format!("unexpected token: {token:?}")),
    }
}

fn tokens(soql: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut chars = soql.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => {}
            ',' | '=' | '(' | ')' => tokens.push(Token::Mark(c)),
            '\'' => tokens.push(Token::Text(quoted(&mut chars)?)),
            c if c.is_alphanumeric() || c == '_' => {
                let mut word = c.to_string();
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '.')) {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
            c => return Err(format!("unexpected char '{c}'")),
        }
    }
    Ok(tokens)
}

/// Reads a string up to its last quote. The first quote was read before.
fn quoted(chars: &mut impl Iterator<Item = char>) -> Result<String, String> {
    let mut text = String::new();
    loop {
        match chars.next() {
            Some('\'') => return Ok(text),
            Some('\\') => match chars.next() {
                Some(c @ ('\'' | '\\' | '"' | '%' | '_')) => text.push(c),
                Some('n' | 'N') => text.push('\n'),
                Some('r' | 'R') => text.push('\r'),
                Some('t' | 'T') => text.push('\t'),
                other => return Err(format!("invalid escape {other:?}")),
            },
            Some('\n' | '\r') | None => return Err("a string does not end".to_owned()),
            Some(c) => text.push(c),
        }
    }
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
}

impl Reader {
    fn next(&mut self) -> Option<Token> {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned()
    }

    /// Reads this keyword if it comes next, and says whether it does.
    fn skip_keyword(&mut self, keyword: &str) -> bool {
        let here = self.tokens.get(self.at);
        let found = matches!(here, Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(found);
        found
    }

    /// Reads this mark if it comes next, and says whether it does.
    fn skip_mark(&mut self, mark: char) -> bool {
        let found = self.tokens.get(self.at) == Some(&Token::Mark(mark));
        self.at += usize::from(found);
        found
    }

    fn keyword(&mut self, keyword: &str) -> Result<(), String> {
        if self.skip_keyword(keyword) { Ok(()) } else { Err(format!("expecting {keyword}")) }
    }

    fn word(&mut self) -> Result<String, String> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word),
            other => Err(format!("expecting a name, found {other:?}")),
        }
    }

    fn text(&mut self) -> Result<String, String> {
        match self.next() {
            Some(Token::Text(text)) => Ok(text),
            other => Err(format!("expecting a string, found {other:?}")),
        }
    }

    fn condition(&mut self) -> Result<(String, Vec<String>), String> {
        let field = self.word()?;
        if self.skip_mark('=') {
            return Ok((field, vec![self.text()?]));
        }
        self.keyword("IN")?;
        if !self.skip_mark('(') {
            return Err("expecting '('".to_owned());
        }
        let mut values = vec![self.text()?];
        while self.skip_mark(',') {
            values.push(self.text()?);
        }
        if self.skip_mark(')') { Ok((field, values)) } else { Err("expecting ')'".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_by_address_is_read_with_its_escapes() {
        let query = parse(
            r"SELECT Id, Email FROM Contact WHERE Email = 'o\'neil\\@x.com' ORDER BY CreatedDate LIMIT 1",
        )
        .unwrap();
        assert_eq!(query.columns, ["Id", "Email"]);
        assert_eq!(query.conditions, [("Email".to_owned(), vec![r"o'neil\@x.com".to_owned()])]);
        assert_eq!(query.limit, Some(1));
    }

    #[test]
    fn a_condition_can_name_several_values() {
        let query = parse("select Id from Contact where Email in ('a','b') and LastName = 'c'").unwrap();
        assert_eq!(query.conditions[0].1, ["a", "b"]);
        assert_eq!(query.conditions.len(), 2);
    }

    #[test]
    fn text_that_is_not_a_query_is_refused() {
        for wrong in [
            "",
            "SELECT FROM Contact",
            "SELECT Id FROM Contact WHERE Email = 'o'neil'",
            "SELECT Id FROM Contact WHERE Email = 'open",
            "SELECT Id FROM Contact; DELETE",
            r"SELECT Id FROM Contact WHERE Email = '\x'",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
