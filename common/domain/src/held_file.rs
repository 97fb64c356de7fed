//! The address of a file that a provider keeps and gives out by an id: `twilio:RE0123?url=https%3A%2F%2F…`.
//!
//! Some providers announce a recording before it can be fetched, or say only its id. Such a recording has no URL that
//! stays: the provider is asked for it when it is needed. In an event and in a row the address stands where else a
//! sealed URL stands, so a program that does not know it yet can read the event nevertheless.
//!
//! The part before the `?` names the file. What stands behind it (an address, a token) may differ each time that the
//! file is announced, and it may be a secret.

use std::fmt;

use strum::{EnumString, IntoStaticStr};
use url::Url;
use url::form_urlencoded::{byte_serialize, parse};

/// A provider that keeps files. Its name is the scheme of its addresses and may never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Holder {
    Exotel,
    Twilio,
    Zoom,
}

impl Holder {
    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// The address of a file that a provider keeps.
#[derive(Clone, PartialEq, Eq)]
pub struct HeldFile {
    holder: Holder,
    id: String,
    /// What else is known of the file, such as its URL.
    values: Vec<(String, String)>,
}

impl HeldFile {
    /// Names a file by the id that its provider gave it.
    pub fn new(holder: Holder, id: impl Into<String>) -> Self {
        Self { holder, id: id.into(), values: Vec::new() }
    }

    /// Adds something that is known of the file.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.values.push((name.to_owned(), value.into()));
        self
    }

    /// Reads an address. `None` for every other text, such as a URL.
    pub fn read(text: &str) -> Option<Self> {
        let address = Url::parse(text).ok()?;
        let holder = address.scheme().parse().ok()?;
        if !address.cannot_be_a_base() {
            return None;
        }
        let id = parse(address.path().as_bytes()).next()?.0.into_owned();
        let values = address.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned()));
        Some(Self { holder, id, values: values.collect() }).filter(|file| !file.id.is_empty())
    }

    pub fn holder(&self) -> Holder {
        self.holder
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The part of the address that is the same each time the file is announced.
    pub fn name(&self) -> String {
        let id: String = byte_serialize(self.id.as_bytes()).collect();
        format!("{}:{id}", self.holder.name())
    }

    /// The whole address. It can hold a secret.
    pub fn address(&self) -> String {
        let mut address = self.name();
        for (nth, (name, value)) in self.values.iter().enumerate() {
            address.push(if nth == 0 { '?' } else { '&' });
            address.push_str(&escaped(name));
            address.push('=');
            address.push_str(&escaped(value));
        }
        address
    }
}

/// Escapes only what has a meaning in a query. An address has to fit into an event, and most of it is a URL.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !b"%&+#".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.extend(byte_serialize(&[byte]));
        }
    }
    escaped
}

/// Shows the name only, because the rest can hold a secret.
impl fmt::Debug for HeldFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_it_was_written_whatever_the_id_and_the_values_hold() {
        for id in ["RE0123", "/abc==", "a//b", "a b?c#d&e=f%20", "Björk", "1"] {
            let file = HeldFile::new(Holder::Zoom, id)
                .with("url", "https://zoom.us/rec/a?token=s&x=1#f")
                .with("token", "a+b c%");
            let read = HeldFile::read(&file.address()).unwrap();
            assert_eq!(read, file, "{id}");
            assert_eq!(read.name(), file.name(), "{id}");
            let bare = HeldFile::new(Holder::Zoom, id);
            assert_eq!(HeldFile::read(&bare.address()).unwrap(), bare, "{id}");
        }
    }

    #[test]
    fn a_url_becomes_hardly_longer_because_its_address_has_to_fit_into_an_event() {
        let url = "https://bucket.s3.example.com/recordings/2026/01/a.mp3?X-Amz-Credential=AKIA%2F20260118&X-Amz-Expires=900";
        let address = HeldFile::new(Holder::Exotel, "CALL-1").with("url", url).address();
        assert!(address.len() < url.len() + 30, "{address}");
    }

    #[test]
    fn the_name_is_the_same_whatever_else_is_known_and_no_secret_is_shown() {
        let bare = HeldFile::new(Holder::Exotel, "CALL-1");
        let more = bare.clone().with("url", "https://recordings.exotel.com/a.mp3?sig=secret");
        assert_eq!(bare.name(), more.name());
        assert_eq!((bare.name().as_str(), bare.address().as_str()), ("exotel:CALL-1", "exotel:CALL-1"));
        assert_eq!(more.value("url"), Some("https://recordings.exotel.com/a.mp3?sig=secret"));
        assert_eq!(format!("{more:?}"), "exotel:CALL-1");
    }

    #[test]
    fn another_text_is_not_the_address_of_a_held_file() {
        for text in [
            "https://exotel.com/a",
            "exotel://CALL-1",
            "exotel:/CALL-1",
            "exotel:",
            "exotel:?url=a",
            "somebody:CALL-1",
            "CALL-1",
            "",
        ] {
            assert_eq!(HeldFile::read(text), None, "{text}");
        }
    }
}
