//! The part of SOQL that is needed to find and to count contacts:
//! `SELECT a, b FROM Contact WHERE x = '…' [AND y IN ('…', '…')] [AND z LIKE '…%'] [ORDER BY z] [LIMIT n]`, with
//! `COUNT()` or `COUNT(a)` in place of the columns.

use super::pattern::Pattern;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) selected: Selected,
    pub(super) object: String,
    /// Each field with what it has to be.
    pub(super) conditions: Vec<(String, Wanted)>,
    pub(super) limit: Option<usize>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Selected {
    Columns(Vec<String>),
    /// `COUNT()`: how many records there are.
    Count,
    /// `COUNT(field)`: how many records have a value in the field.
    CountOf(String),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// One of these values.
    Values(Vec<String>),
    Like(Pattern),
}

impl Wanted {
    /// SOQL compares without regard to case.
    pub(super) fn holds(&self, value: &str) -> bool {
        match self {
            Self::Values(values) => values.iter().any(|wanted| value.to_lowercase() == wanted.to_lowercase()),
            Self::Like(pattern) => pattern.matches(value),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text { value: String, pattern: Pattern },
    Mark(char),
}

/// Reads a query. The error says what is wrong with it.
pub(super) fn parse(soql: &str) -> Result<Query, String> {
    let mut reader = Reader { tokens: tokens(soql)?, at: 0 };
    reader.keyword("SELECT")?;
    let selected = reader.selected()?;
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
        None => Ok(Query { selected, object, conditions, limit }),
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
            '\'' => tokens.push(quoted(&mut chars)?),
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
fn quoted(chars: &mut impl Iterator<Item = char>) -> Result<Token, String> {
    let (mut value, mut pattern) = (String::new(), Pattern::default());
    loop {
        let (c, is_escaped) = match chars.next() {
            Some('\'') => return Ok(Token::Text { value, pattern }),
            Some('\\') => match chars.next() {
                Some(c @ ('\'' | '\\' | '"' | '%' | '_')) => (c, true),
                Some('n' | 'N') => ('\n', true),
                Some('r' | 'R') => ('\r', true),
                Some('t' | 'T') => ('\t', true),
                Some('b' | 'B') => ('\u{8}', true),
                Some('f' | 'F') => ('\u{c}', true),
                other => return Err(format!("invalid escape {other:?}")),
            },
            Some('\n' | '\r') | None => return Err("a string does not end".to_owned()),
            Some(c) => (c, false),
        };
        value.push(c);
        pattern.push(c, is_escaped);
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

    fn text(&mut self) -> Result<(String, Pattern), String> {
        match self.next() {
            Some(Token::Text { value, pattern }) => Ok((value, pattern)),
            other => Err(format!("expecting a string, found {other:?}")),
        }
    }

    fn selected(&mut self) -> Result<Selected, String> {
        let first = self.word()?;
        if first.eq_ignore_ascii_case("COUNT") && self.skip_mark('(') {
            let selected =
                if self.skip_mark(')') { Selected::Count } else { Selected::CountOf(self.word()?) };
            let is_closed = selected == Selected::Count || self.skip_mark(')');
            return if is_closed { Ok(selected) } else { Err("expecting ')'".to_owned()) };
        }
        let mut columns = vec![first];
        while self.skip_mark(',') {
            columns.push(self.word()?);
        }
        Ok(Selected::Columns(columns))
    }

    fn condition(&mut self) -> Result<(String, Wanted), String> {
        let field = self.word()?;
        if self.skip_mark('=') {
            return Ok((field, Wanted::Values(vec![self.text()?.0])));
        }
        if self.skip_keyword("LIKE") {
            return Ok((field, Wanted::Like(self.text()?.1)));
        }
        self.keyword("IN")?;
        if !self.skip_mark('(') {
            return Err("expecting '('".to_owned());
        }
        let mut values = vec![self.text()?.0];
        while self.skip_mark(',') {
            values.push(self.text()?.0);
        }
        if self.skip_mark(')') {
            Ok((field, Wanted::Values(values)))
        } else {
            Err("expecting ')'".to_owned())
        }
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
        assert_eq!(query.selected, Selected::Columns(vec!["Id".into(), "Email".into()]));
        let wanted = Wanted::Values(vec![r"o'neil\@x.com".to_owned()]);
        assert_eq!(query.conditions, [("Email".to_owned(), wanted)]);
        assert_eq!(query.limit, Some(1));
    }

    #[test]
    fn a_condition_can_name_several_values() {
        let query = parse("select Id from Contact where Email in ('a','b') and LastName = 'c'").unwrap();
        assert_eq!(query.conditions[0].1, Wanted::Values(vec!["a".into(), "b".into()]));
        assert_eq!(query.conditions.len(), 2);
    }

    #[test]
    fn records_are_counted_and_compared_with_a_pattern() {
        let query = parse(r"SELECT COUNT() FROM Contact WHERE LastName LIKE 'O\'N_il\_%'").unwrap();
        assert_eq!(query.selected, Selected::Count);
        for (name, holds) in [("o'neil_", true), ("O'Nail_x", true), ("O'Neilx", false), ("x O'Neil_", false)]
        {
            assert_eq!(query.conditions[0].1.holds(name), holds, "{name}");
        }
        assert_eq!(parse("select count(Id) from Contact").unwrap().selected, Selected::CountOf("Id".into()));
    }

    #[test]
    fn text_that_is_not_a_query_is_refused() {
        for wrong in [
            "",
            "SELECT FROM Contact",
            "SELECT Id FROM Contact WHERE Email = 'o'neil'",
            "SELECT Id FROM Contact WHERE Email = 'open",
            "SELECT Id FROM Contact; DELETE",
            "SELECT COUNT( FROM Contact",
            "SELECT COUNT(), Id FROM Contact",
            "SELECT Id FROM Contact WHERE Email LIKE x",
            r"SELECT Id FROM Contact WHERE Email = '\x'",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
