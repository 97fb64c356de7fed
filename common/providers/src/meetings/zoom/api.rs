//! The requests to Zoom's API.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use domain::call::{CallDetails, Participant, Role};
use domain::email_address;
use domain::fault::Fault;
use domain::person_name::folded;
use domain::refusal::{Code, Failure, Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::cache::Limiter;
use platform::http::{self, Answer};
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::oauth::{Credentials, OAuth, Token};
use super::recording::text;
use super::{NAME, REMOTE};
use crate::meetings::Attendance;
use crate::requests::counted;

const TIMEOUT: Duration = Duration::from_secs(20);
/// The most entries that Zoom puts on a page.
const PAGE: &str = "300";
/// A list with more pages is one that goes round in a circle.
const MAX_PAGES: usize = 1000;
/// How long to wait when the requests of a day are used up and Zoom does not say until when.
const A_DAY_IS_LONG: Duration = Duration::from_hours(1);
/// The number in Zoom's error when the app was not allowed something.
const MISSING_SCOPE: u64 = 4711;

/// Who held a meeting, as its list of recordings names the person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    pub id: Option<String>,
    pub email: Option<String>,
}

/// One page of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    pub entries: Vec<Value>,
    /// What asks for the next page. `None` on the last page.
    pub next: Option<String>,
}

/// Zoom's API with the credentials of an account.
pub struct Api {
    client: Client,
    base: Url,
    oauth: OAuth,
    limiter: Limiter,
}

/// A token for the download of a recording.
#[derive(Clone)]
pub struct Bearer(Token);

impl Bearer {
    pub fn secret(&self) -> &SecretString {
        &self.0.access
    }
}

impl Api {
    pub(super) fn new(base: Url, credentials: Credentials, limiter: Limiter) -> Self {
        Self { client: http::client(TIMEOUT), oauth: OAuth::new(&base, credentials), base, limiter }
    }

    /// Whether a URL belongs to the server of the API, which our configuration names.
    pub(super) fn is_at(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// What the app is allowed.
    pub async fn scopes(&self) -> Result<Vec<String>, Refusal> {
        Ok(self.oauth.token(&self.client, None).await?.scopes)
    }

    /// The token of the account, which also opens recordings. A new one where `refused` is the one in use.
    pub async fn bearer(&self, refused: Option<&Bearer>) -> Result<Bearer, Refusal> {
        self.oauth.token(&self.client, refused.map(|bearer| &bearer.0)).await.map(Bearer)
    }

    /// A meeting with its recordings. `uuid` names one instance of a meeting.
    pub async fn recordings(&self, uuid: &str) -> Result<Value, Refusal> {
        self.get(&format!("/meetings/{}/recordings", in_path(uuid)), &[]).await
    }

    /// Everybody who was in a meeting, each person once, in the order in which they came.
    pub async fn participants(&self, uuid: &str, host: &Host) -> Result<Vec<Participant>, Refusal> {
        let path = format!("/past_meetings/{}/participants", in_path(uuid));
        Ok(people(&self.all(&path, "participants", &[]).await?, host))
    }

    /// The ids of the account's users, those who have left included, because their recordings are still there.
    pub async fn users(&self) -> Result<Vec<String>, Refusal> {
        let mut users = Vec::new();
        for status in ["active", "inactive"] {
            let listed = self.all("/users", "users", &[("status", status)]).await?;
            users.extend(listed.iter().filter_map(|user| text(user, "id")));
        }
        Ok(users)
    }

    /// One page of a user's meetings that were recorded in this time. Zoom takes a month at most. `page` is the `next`
    /// of the page before.
    pub async fn recorded_meetings(
        &self,
        user: &str,
        from: NaiveDate,
        to: NaiveDate,
        page: Option<&str>,
    ) -> Result<Page, Refusal> {
        let (from, to) = (from.to_string(), to.to_string());
        let path = format!("/users/{}/recordings", in_path(user));
        self.page(&path, "meetings", &[("from", &from), ("to", &to)], page).await
    }

    async fn all(&self, path: &str, name: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, Refusal> {
        let (mut entries, mut next) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let page = self.page(path, name, query, next.as_deref()).await?;
            entries.extend(page.entries);
            if page.next.is_none() || page.next == next {
                return Ok(entries);
            }
            next = page.next;
        }
        let problem = format!("a list has more than {MAX_PAGES} pages");
        Err(Refusal::of(&REMOTE, &Failure::Lost { problem }).without_effect())
    }

    async fn page(
        &self,
        path: &str,
        name: &str,
        query: &[(&str, &str)],
        page: Option<&str>,
    ) -> Result<Page, Refusal> {
        let mut query = query.to_vec();
        query.push(("page_size", PAGE));
        query.extend(page.map(|page| ("next_page_token", page)));
        let mut answer = self.get(path, &query).await?;
        let entries = match answer[name].take() {
            Value::Array(entries) => entries,
            _ => Vec::new(),
        };
        Ok(Page { entries, next: text(&answer, "next_page_token") })
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Refusal> {
        let token = self.oauth.token(&self.client, None).await?;
        let mut answer = self.ask(path, query, &token).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            // The token was taken back before its time.
            let token = self.oauth.token(&self.client, Some(&token)).await?;
            answer = self.ask(path, query, &token).await?;
        }
        if !answer.status.is_success() {
            return Err(refusal(answer));
        }
        serde_json::from_slice(&answer.body).map_err(|error| {
            let problem = format!("not the JSON expected ({:?})", error.classify());
            Refusal::of(&REMOTE, &Failure::Lost { problem }).without_effect()
        })
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)], token: &Token) -> Result<Answer, Refusal> {
        self.limiter.slot().await.map_err(|used_up| used_up.refusal(&REMOTE))?;
        let request = self
            .client
            .get(http::join(&self.base, path))
            .query(query)
            .bearer_auth(token.access.expose_secret());
        counted(NAME, http::send_any(request))
            .await
            .map_err(|error| Refusal::of(&REMOTE, &error.failure(None)).without_effect())
    }
}

impl Attendance for Api {
    fn source(&self) -> &'static str {
        NAME
    }

    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn participants<'a>(
        &'a self,
        meeting: &'a str,
        details: &'a CallDetails,
    ) -> BoxFuture<'a, Result<Vec<Participant>, Refusal>> {
        let named = |name: &str| details.metadata.get(name).and_then(Value::as_str).map(str::to_owned);
        let host = Host { id: named("host_id"), email: named("host_email") };
        async move { self.participants(meeting, &host).await }.boxed()
    }
}

/// What an answer outside 2xx means. Zoom says in the words of a 429 which of its limits was passed.
fn refusal(answer: Answer) -> Refusal {
    let status = answer.status;
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let until = answer.headers.get("retry-after").and_then(|value| value.to_str().ok());
    let until = until.and_then(|text| DateTime::parse_from_rfc3339(text.trim()).ok());
    let error = answer.into_error();
    let shown = said["code"].as_u64().map(|code| format!("code {code}"));
    let mut failure = error.failure(shown);
    if said["code"].as_u64() == Some(MISSING_SCOPE) {
        let scopes = said["message"].as_str().and_then(scopes_in).unwrap_or_default();
        failure = Failure::Status {
            status: 403,
            retry_after: None,
            said: Some(format!("the app has no scope {scopes}")),
        };
    }
    let refusal = Refusal::of(&REMOTE, &failure).without_effect();
    let is_daily = said["message"].as_str().is_some_and(|text| text.to_lowercase().contains("daily"));
    if status != StatusCode::TOO_MANY_REQUESTS {
        return refusal;
    }
    let named = until.map(|until| (until.to_utc() - Utc::now()).to_std().unwrap_or_default());
    let named = named.or(refusal.retry_after);
    let wait = named.or(is_daily.then_some(A_DAY_IS_LONG)).map(|wait| wait.clamp(SHORTEST, LONGEST));
    match wait {
        Some(wait) if is_daily => Refusal {
            fault: Fault::Throttled(wait),
            code: Code::new("zoom_daily_limit"),
            retry_after: named,
            text: format!(
                "failed to use Zoom: the requests of the day are used up; it asks us to wait {} s",
                wait.as_secs()
            ),
            ..refusal
        },
        Some(wait) => Refusal { fault: Fault::Throttled(wait), retry_after: named, ..refusal },
        None => refusal,
    }
}

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(24);

/// The names of the scopes in Zoom's sentence about them. Nothing else of it is shown.
fn scopes_in(message: &str) -> Option<String> {
    let (_, rest) = message.split_once('[')?;
    let (scopes, _) = rest.split_once(']')?;
    let is_scope = |scope: &&str| {
        !scope.is_empty()
            && scope.len() <= 80
            && scope.bytes().all(|byte| byte.is_ascii_lowercase() || b":_".contains(&byte))
    };
    let scopes: Vec<_> = scopes.split(',').map(str::trim).filter(is_scope).collect();
    (!scopes.is_empty()).then(|| scopes.join(" or "))
}

/// The uuid of a meeting as a part of a path. Zoom wants one that begins with a slash, or holds two in a row, encoded
/// twice.
fn in_path(uuid: &str) -> String {
    let once =
        |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
    let encoded = once(uuid);
    if uuid.starts_with('/') || uuid.contains("//") { once(&encoded) } else { encoded }
}

/// The people on a list of participants. Who left and came back stands on it twice. The host is known by the id or by
/// the address.
fn people(listed: &[Value], host: &Host) -> Vec<Participant> {
    let mut seen = HashSet::new();
    let host_address = host.email.as_deref().and_then(email_address::read);
    let mut people = Vec::new();
    for entry in listed {
        let (name, email) = (text(entry, "name"), text(entry, "user_email"));
        let known = email.as_deref().and_then(email_address::read);
        let by_address = known.as_ref().map(|known| format!("{known:?}"));
        let Some(who) = by_address.or_else(|| name.as_deref().map(folded)) else { continue };
        let id = text(entry, "id");
        let is_host = (known.is_some() && known == host_address) || (id.is_some() && id == host.id);
        if seen.insert(who) {
            let role = if is_host { Role::Host } else { Role::Participant };
            people.push(Participant { name, email, phone: None, role: Some(role) });
        }
    }
    people
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_uuid_with_a_slash_in_front_or_two_in_a_row_is_encoded_twice() {
        for (uuid, wanted) in [
            ("4444AAAiAAAAAiAiAiiAii==", "4444AAAiAAAAAiAiAiiAii%3D%3D"),
            ("/ajXp112QmuoKj4854875==", "%252FajXp112QmuoKj4854875%253D%253D"),
            ("a//b+==", "a%252F%252Fb%252B%253D%253D"),
            ("a/b+c", "a%2Fb%2Bc"),
            ("../users", "..%2Fusers"),
            ("a b", "a%20b"),
        ] {
            assert_eq!(in_path(uuid), wanted, "{uuid}");
        }
    }

    #[test]
    fn who_left_and_came_back_is_one_participant_and_the_host_is_known_by_id_or_address() {
        let listed = [
            json!({ "id": "h1", "name": "Priya Raman", "user_email": "" }),
            json!({ "id": "", "name": "Tom Björk", "user_email": "tom@calder.example.com" }),
            json!({ "id": "", "name": "Tom (phone)", "user_email": "Tom@Calder.example.com" }),
            json!({ "name": "priya raman" }),
            json!({ "name": "" }),
            json!("odd"),
            json!({ "name": "Cher", "user_email": "Cher@Tidegrid.example.com" }),
        ];
        let host = Host { id: Some("h1".into()), email: Some("cher@tidegrid.example.com".into()) };
        let people = people(&listed, &host);
        let read: Vec<_> =
            people.iter().map(|who| (who.name.as_deref().unwrap(), who.role.unwrap())).collect();
        assert_eq!(
            read,
            [("Priya Raman", Role::Host), ("Tom Björk", Role::Participant), ("Cher", Role::Host)]
        );
        assert_eq!(people[1].email.as_deref(), Some("tom@calder.example.com"));
    }

    #[test]
    fn a_sentence_about_scopes_shows_their_names_and_nothing_else() {
        let message = "Invalid access token, does not contain scopes:[cloud_recording:read:list_recording_files:admin, Ann Lee].";
        assert_eq!(scopes_in(message).as_deref(), Some("cloud_recording:read:list_recording_files:admin"));
        assert_eq!(scopes_in("Meeting of Ann Lee"), None);
    }
}
