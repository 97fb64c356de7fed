//! Visits the pages of a company that matter, and no more than a few. Each address is checked before each request, also
//! after a redirect, and what the site's `robots.txt` forbids is left alone.

use std::time::Duration;

use futures::StreamExt as _;
use platform::fetch::{Address, Allow, FetchError, Fetcher, Limits};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::Page;
use super::robots::Robots;

const MAX_PAGES: usize = 6;
const MAX_PAGE_BYTES: u64 = 2 * 1024 * 1024;
/// The whole visit.
const MAX_TIME: Duration = Duration::from_secs(25);
/// What a link or its text holds that leads to a page with facts, the most useful first.
const USEFUL: &[&[&str]] = &[
    &["about", "company", "who-we-are", "ueber", "uber-uns", "unternehmen"],
    &["career", "job", "vacanc", "join-us", "karriere"],
    &["news", "press", "blog"],
    &["contact", "impressum", "imprint"],
    &["team", "story", "facts", "investor"],
];

/// What a visit brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visit {
    pub pages: Vec<Page>,
    /// Why there is little or nothing.
    pub note: Option<String>,
}

/// Visits sites.
#[derive(Clone)]
pub struct Site {
    fetcher: Fetcher,
}

impl Site {
    /// `allow` says which private addresses may be visited.
    pub fn new(allow: Allow) -> Self {
        let limits = Limits {
            max_bytes: MAX_PAGE_BYTES,
            total: Duration::from_secs(10),
            stall: Duration::from_secs(5),
            min_rate: 0,
            redirects: 4,
            ..Limits::default()
        };
        Self { fetcher: Fetcher::new(allow, limits, Vec::new()) }
    }

    /// Visits the site at `address`. The error says why we may not go there.
    pub async fn visit(&self, address: &Url) -> Result<Visit, String> {
        let deadline = Instant::now() + MAX_TIME;
        let robots = match address.join("/robots.txt") {
            Ok(at) => match self.text(&at, deadline).await {
                Ok(text) => Robots::of(&text),
                Err(FetchError::Refused(why)) => return Err(why),
                // A site without rules forbids nothing.
                Err(FetchError::Empty { .. }) => Robots::default(),
                Err(FetchError::Status { status, .. }) if status.is_client_error() => Robots::default(),
                Err(error) => return Ok(nothing(format!("The site was not visited: {error}."))),
            },
            Err(_) => Robots::default(),
        };
        if !robots.allows(address.path()) {
            return Ok(nothing("The site's robots.txt asks programs not to read this page.".into()));
        }
        let home = match self.text(address, deadline).await {
            Ok(html) => Page::of(address.as_str(), &html),
            Err(FetchError::Refused(why)) => return Err(why),
            Err(error) => return Ok(nothing(format!("The site could not be read: {error}."))),
        };
        let mut pages = vec![home];
        for url in
            useful(address, &pages[0]).into_iter().filter(|url| robots.allows(url.path())).take(MAX_PAGES - 1)
        {
            if Instant::now() >= deadline {
                break;
            }
            match self.text(&url, deadline).await {
                Ok(html) => pages.push(Page::of(url.as_str(), &html)),
                Err(error) => tracing::debug!(%error, "a page of a company was left out"),
            }
        }
        Ok(Visit { pages, note: None })
    }

    async fn text(&self, url: &Url, deadline: Instant) -> Result<String, FetchError> {
        let fetching = async {
            let fetched = self.fetcher.document(&Address::from_outside(url.as_str())).await?;
            let mut body = fetched.body;
            let mut bytes = Vec::new();
            while let Some(chunk) = body.next().await {
                bytes.extend_from_slice(&chunk?);
            }
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        timeout_at(deadline, fetching).await.unwrap_or_else(|_| {
            Err(FetchError::TooSlow {
                host: url.host_str().unwrap_or_default().to_owned(),
                seconds: MAX_TIME.as_secs(),
            })
        })
    }
}

fn nothing(note: String) -> Visit {
    Visit { pages: Vec::new(), note: Some(note) }
}

/// The pages of the same site to which the page leads and that may hold facts, the most useful first and one of each kind.
fn useful(address: &Url, page: &Page) -> Vec<Url> {
    let mut found: Vec<Url> = Vec::new();
    for words in USEFUL {
        let leads = page.links.iter().find_map(|(href, text)| {
            let mut url = address.join(href).ok()?;
            url.set_fragment(None);
            let text = format!("{} {}", url.path().to_ascii_lowercase(), text.to_lowercase());
            let is_one = url.origin() == address.origin()
                && url.path() != address.path()
                && !found.contains(&url)
                && !url.path().to_ascii_lowercase().ends_with(".pdf")
                && words.iter().any(|word| text.contains(word));
            is_one.then_some(url)
        });
        found.extend(leads);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_that_matter_are_chosen_of_the_same_site_only() {
        let address = Url::parse("https://acme.example/").unwrap();
        let links = [
            ("/about-us", "About"),
            ("https://other.example/about", "About"),
            ("jobs/", "Work here"),
            ("/x.pdf", "About us as PDF"),
            ("mailto:a@b", "contact"),
            ("/#about", "About"),
        ];
        let page = Page {
            links: links.iter().map(|(href, text)| ((*href).into(), (*text).into())).collect(),
            ..Page::default()
        };
        let paths: Vec<String> = useful(&address, &page).iter().map(|url| url.path().to_owned()).collect();
        assert_eq!(paths, ["/about-us", "/jobs/"]);
    }
}
