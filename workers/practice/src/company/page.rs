//! Reads a page of HTML: its title, its blocks of text, its links. No page is too odd for it, and no script is run.

/// A page as it is read for facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub url: String,
    pub title: String,
    pub description: String,
    /// The text, block by block.
    pub blocks: Vec<String>,
    /// The headings, which are blocks as well.
    pub headings: Vec<String>,
    /// The headings in a part of the page that is named for news.
    pub news: Vec<String>,
    /// What stands in `<address>`.
    pub address: Option<String>,
    /// Where the links lead as they are written, and their text.
    pub links: Vec<(String, String)>,
    /// The addresses of scripts and style sheets, and the name of the program that made the page.
    pub made_with: Vec<String>,
}

const MAX_BLOCKS: usize = 4_000;
const MAX_LINKS: usize = 1_000;
/// Tags that begin a new block of text.
const BLOCKS: &[&str] = &[
    "p",
    "div",
    "li",
    "ul",
    "ol",
    "section",
    "article",
    "header",
    "footer",
    "main",
    "nav",
    "table",
    "tr",
    "td",
    "th",
    "br",
    "hr",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "address",
    "blockquote",
    "dd",
    "dt",
    "figure",
    "figcaption",
    "form",
    "aside",
    "option",
    "button",
    "title",
];

impl Page {
    pub fn of(url: &str, html: &str) -> Self {
        let mut page = Self { url: url.to_owned(), ..Self::default() };
        let (mut block, mut rest) = (String::new(), html);
        let mut open: Option<(&'static str, usize)> = None;
        let mut link: Option<(String, String)> = None;
        let mut news: Option<NewsPart> = None;
        while let Some(start) = rest.find('<') {
            let text = decoded(&rest[..start]);
            push(&mut block, &text);
            if let Some((_, words)) = &mut link {
                push(words, &text);
            }
            rest = &rest[start..];
            if let Some(comment) = rest.strip_prefix("<!--") {
                rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
                continue;
            }
            let Some(end) = end_of_tag(rest) else { break };
            let (tag, after) = (&rest[1..end], &rest[end + 1..]);
            rest = after;
            let (is_end, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
            let name: String =
                tag.chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
            match (name.as_str(), is_end) {
                // Their content is no text.
                ("script" | "style" | "noscript" | "template" | "svg", false) => {
                    page.made_with.extend(attribute(tag, "src"));
                    if !tag.ends_with('/') {
                        rest = after_end(rest, &name);
                    }
                }
                ("link", false) => page.made_with.extend(attribute(tag, "href")),
                ("meta", false) => page.take_meta(tag),
                ("a", false) => link = attribute(tag, "href").map(|href| (href, String::new())),
                ("a", true) => {
                    if let Some((href, words)) = link.take().filter(|_| page.links.len() < MAX_LINKS) {
                        page.links.push((href, words.trim().to_owned()));
                    }
                }
                _ => {}
            }
            if BLOCKS.contains(&name.as_str()) {
                let heading = open.take().filter(|(tag, _)| is_end && *tag == name).map(|(tag, _)| tag);
                page.end_block(&mut block, heading, news.is_some());
                let known =
                    ["h1", "h2", "h3", "h4", "title", "address"].into_iter().find(|known| *known == name);
                open = known.filter(|_| !is_end).map(|known| (known, page.blocks.len()));
            }
            news = match news {
                Some(part) => part.after(&name, is_end),
                None if !is_end && is_named_for_news(tag) => Some(NewsPart { tag: name, depth: 1 }),
                None => None,
            };
        }
        push(&mut block, &decoded(if rest.starts_with('<') { "" } else { rest }));
        page.end_block(&mut block, None, false);
        page
    }

    fn end_block(&mut self, block: &mut String, tag: Option<&str>, is_news: bool) {
        let text = std::mem::take(block);
        let text = text.trim();
        if text.is_empty() || self.blocks.len() >= MAX_BLOCKS {
            return;
        }
        match tag {
            Some("title") => {
                text.clone_into(&mut self.title);
                return;
            }
            Some("address") => self.address = self.address.take().or(Some(text.to_owned())),
            Some(_) => {
                self.headings.push(text.to_owned());
                if is_news {
                    self.news.push(text.to_owned());
                }
            }
            None => {}
        }
        self.blocks.push(text.to_owned());
    }

    fn take_meta(&mut self, tag: &str) {
        let Some(content) = attribute(tag, "content") else { return };
        let name = attribute(tag, "name")
            .or_else(|| attribute(tag, "property"))
            .unwrap_or_default()
            .to_ascii_lowercase();
        match name.as_str() {
            "description" => self.description = content,
            "og:description" if self.description.is_empty() => self.description = content,
            "generator" => self.made_with.push(content),
            _ => {}
        }
    }
}

/// A part of a page that is named for news, until its end.
struct NewsPart {
    tag: String,
    /// How many elements of this tag are open.
    depth: usize,
}

impl NewsPart {
    /// The part after the beginning or the end of an element. `None` where the part ends with it.
    fn after(self, tag: &str, is_end: bool) -> Option<Self> {
        let depth = match (tag == self.tag, is_end) {
            (false, _) => self.depth,
            (true, false) => self.depth + 1,
            (true, true) => self.depth - 1,
        };
        (depth > 0).then_some(Self { depth, ..self })
    }
}

/// Whether the classes or the id of an element have a word for news: `news-list`, and not `newsletter`.
fn is_named_for_news(tag: &str) -> bool {
    ["class", "id"].into_iter().filter_map(|name| attribute(tag, name)).any(|names| {
        names
            .to_ascii_lowercase()
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| matches!(word, "news" | "press" | "aktuelles"))
    })
}

/// Adds text to a block, with one blank where blanks stand.
fn push(block: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_whitespace() {
            if !block.is_empty() && !block.ends_with(' ') {
                block.push(' ');
            }
        } else if !c.is_control() {
            block.push(c);
        }
    }
}

/// Where the tag with which `text` begins ends. A `>` in a value in quotes does not end it.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate().skip(1).take(20_000) {
        match (byte, quote) {
            (b'>', None) => return Some(at),
            (b'"' | b'\'', None) if text.as_bytes()[at - 1] == b'=' => quote = Some(byte),
            (byte, Some(open)) if byte == open => quote = None,
            _ => {}
        }
    }
    text.find('>')
}

fn after_end<'a>(text: &'a str, name: &str) -> &'a str {
    let lower = text.to_ascii_lowercase();
    let end = format!("</{name}");
    lower.find(&end).map_or("", |at| text[at..].find('>').map_or("", |close| &text[at + close + 1..]))
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let lower = tag.to_ascii_lowercase();
    let mut from = 0;
    while let Some(found) = lower[from..].find(name) {
        let at = from + found;
        let before_is_blank = at > 0 && lower.as_bytes()[at - 1].is_ascii_whitespace();
        let rest = lower[at + name.len()..].trim_start();
        if before_is_blank && rest.starts_with('=') {
            let value = tag[tag.len() - rest.len() + 1..].trim_start();
            let text = match value.chars().next()? {
                quote @ ('"' | '\'') => value[1..].split(quote).next()?,
                _ => value.split(|c: char| c.is_whitespace()).next()?,
            };
            return Some(decoded(text).trim().to_owned());
        }
        from = at + name.len();
    }
    None
}

/// The text with its entities replaced.
fn decoded(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.char_indices().take(12).find(|(_, c)| *c == ';').map(|(end, _)| end);
        let character = end.and_then(|end| entity(&rest[1..end]));
        match (character, end) {
            (Some(character), Some(end)) => {
                out.push(character);
                rest = &rest[end + 1..];
            }
            _ => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" | "rsquo" | "lsquo" => '\'',
        "nbsp" => ' ',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "euro" => '€',
        "pound" => '£',
        "copy" => '©',
        "ldquo" => '“',
        "rdquo" => '”',
        "uuml" => 'ü',
        "ouml" => 'ö',
        "auml" => 'ä',
        "Uuml" => 'Ü',
        "Ouml" => 'Ö',
        "Auml" => 'Ä',
        "szlig" => 'ß',
        "eacute" => 'é',
        "egrave" => 'è',
        "ccedil" => 'ç',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_links_and_headings_are_read_and_scripts_are_not() {
        let html = "<html><head><title>Acme &amp; Co</title><meta name='description' content=\"We move > things\"><script>var a='<p>no</p>'</script></head>\
            <body><h1>About   us</h1><p>We are <b>250</b> people.<br>Really</p><a href=/jobs class=x>Our jobs</a><address>1 Main St, Porto</address><!-- <p>no</p> --></body>";
        let page = Page::of("https://a.example/", html);
        assert_eq!(page.title, "Acme & Co");
        assert_eq!(page.description, "We move > things");
        assert_eq!(page.headings, ["About us"]);
        assert!(page.blocks.contains(&"We are 250 people.".to_owned()), "{:?}", page.blocks);
        assert_eq!(page.links, [("/jobs".to_owned(), "Our jobs".to_owned())]);
        assert_eq!(page.address.as_deref(), Some("1 Main St, Porto"));
        assert!(page.blocks.iter().all(|block| !block.contains("no")), "{:?}", page.blocks);
    }

    #[test]
    fn no_page_is_too_odd() {
        for html in [
            "",
            "<",
            "<a",
            "<a href='",
            "</",
            "<!--",
            "<script>",
            "&#xffffffff;&;&",
            "<p>ü<p>İ</p",
            "<a href>x</a>",
            "<title>",
        ] {
            Page::of("u", html);
        }
        let deep = "<div>".repeat(50_000);
        Page::of("u", &deep);
    }
}
