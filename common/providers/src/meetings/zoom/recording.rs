//! Reads the recordings that a webhook or the API lists for a meeting, and chooses those from which a transcript is made.
//!
//! The lists are read leniently. Zoom's own example repeats a name in one object and calls a transcript `M4A`, numbers
//! come as texts, and a file may be listed that is still being made.

use std::collections::BTreeMap;

use chrono::DateTime;
use domain::event::MaterialKind;
use domain::moment::Moment;
use serde_json::Value;

/// The domains of Zoom. A token of Zoom's goes only to these, and to the host of the API.
const DOMAINS: [&str; 4] = ["zoom.us", "zoom.com", "zoomgov.com", "zoom.com.cn"];

/// Whether `host` belongs to Zoom.
pub fn is_zooms(host: &str) -> bool {
    let below =
        |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    DOMAINS.iter().any(|domain| below(domain))
}

/// A file of a recording from which a transcript can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingFile {
    /// Zoom's id of the file. It is the same in every list.
    pub id: String,
    pub kind: MaterialKind,
    pub media_type: &'static str,
    /// The start of the recording to which the file belongs. A meeting that was recorded twice has two starts.
    pub starts_at: Option<Moment>,
    /// Where the file is. A list without it is completed by the API.
    pub url: Option<String>,
}

/// What a file is to us. The order is that in which audio is preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    Transcript,
    /// A recording without pictures.
    Sound,
    Video,
}

impl Use {
    fn kind(self) -> MaterialKind {
        match self {
            Self::Transcript => MaterialKind::Transcript,
            Self::Sound | Self::Video => MaterialKind::Recording,
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Transcript => "text/vtt",
            Self::Sound => "audio/mp4",
            Self::Video => "video/mp4",
        }
    }
}

/// Chooses from the recordings of `meeting`: for each of its starts one recording, sound before video, and one
/// transcript. Whatever else is listed (chats, captions, a file that is not complete) is left out. The order is that of
/// the starts.
pub fn chosen(meeting: &Value) -> Vec<RecordingFile> {
    let mut best: BTreeMap<(Option<Moment>, &str), (Use, u64, RecordingFile)> = BTreeMap::new();
    for listed in meeting["recording_files"].as_array().into_iter().flatten() {
        let Some((of_use, bytes, file)) = read(meeting, listed) else { continue };
        let place = (file.starts_at, file.kind.name());
        let better = |known: &(Use, u64, RecordingFile)| (of_use, bytes) < (known.0, known.1);
        if best.get(&place).is_none_or(better) {
            best.insert(place, (of_use, bytes, file));
        }
    }
    best.into_values().map(|(_, _, file)| file).collect()
}

/// The address of the file with this id in the recordings of a meeting.
pub fn address_of(meeting: &Value, id: &str) -> Option<String> {
    let listed = meeting["recording_files"].as_array()?.iter();
    let mut found = listed.filter_map(|listed| read(meeting, listed)).filter(|(_, _, file)| file.id == id);
    found.find_map(|(_, _, file)| file.url)
}

fn read(meeting: &Value, listed: &Value) -> Option<(Use, u64, RecordingFile)> {
    let of_use = of_use(listed)?;
    let is_complete = text(listed, "status").is_none_or(|status| status.eq_ignore_ascii_case("completed"));
    let bytes = number(&listed["file_size"]);
    if !is_complete || bytes == Some(0) {
        return None;
    }
    let starts_at = text(listed, "recording_start").and_then(|time| DateTime::parse_from_rfc3339(&time).ok());
    let starts_at = starts_at.map(|time| Moment::from(time.to_utc()));
    let url = text(listed, "download_url");
    // A file without an id is named by what it is.
    let id = text(listed, "id").or_else(|| {
        let start = text(listed, "recording_start").unwrap_or_default();
        Some(format!("{}/{}/{start}", text(meeting, "uuid")?, of_use.media_type()))
    })?;
    let file = RecordingFile { id, kind: of_use.kind(), media_type: of_use.media_type(), starts_at, url };
    Some((of_use, bytes.unwrap_or(u64::MAX), file))
}

fn of_use(listed: &Value) -> Option<Use> {
    let (kind, what) = (text(listed, "file_type"), text(listed, "recording_type"));
    let named = |kind: &str| match kind.to_ascii_uppercase().as_str() {
        "TRANSCRIPT" => Some(Use::Transcript),
        "M4A" => Some(Use::Sound),
        "MP4" => Some(Use::Video),
        _ => None,
    };
    match kind {
        Some(kind) => named(&kind),
        // An old list has no type for some files.
        None => match what.as_deref() {
            Some("audio_transcript") => Some(Use::Transcript),
            Some("audio_only") => Some(Use::Sound),
            _ => text(listed, "file_extension").and_then(|extension| named(&extension)),
        },
    }
}

/// A value that is a text or a number, as a text.
pub(crate) fn text(value: &Value, name: &str) -> Option<String> {
    let text = match &value[name] {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn file(id: &str, kind: &str, start: &str) -> Value {
        json!({
            "id": id, "file_type": kind, "recording_start": start, "status": "completed", "file_size": 1000,
            "download_url": format!("https://zoom.us/rec/{id}"),
        })
    }

    #[expect(clippy::needless_pass_by_value, reason = "the files are written where they are passed")]
    fn ids(files: Value) -> Vec<String> {
        chosen(&json!({ "uuid": "a==", "recording_files": files })).into_iter().map(|file| file.id).collect()
    }

    const FIRST: &str = "2026-03-04T09:00:00Z";
    const SECOND: &str = "2026-03-04T09:40:10Z";

    #[test]
    fn sound_goes_before_video_and_the_smaller_video_before_the_larger() {
        let mut small = file("small", "MP4", FIRST);
        small["file_size"] = "10".into();
        let video = json!([file("large", "MP4", FIRST), small.clone()]);
        assert_eq!(ids(video), ["small"]);
        assert_eq!(ids(json!([small, file("sound", "M4A", FIRST), file("large", "MP4", FIRST)])), ["sound"]);
    }

    #[test]
    fn a_meeting_that_was_recorded_twice_has_a_recording_and_a_transcript_for_each_start() {
        let files = json!([
            file("t2", "TRANSCRIPT", SECOND),
            file("a2", "M4A", SECOND),
            file("v1", "MP4", FIRST),
            file("a1", "M4A", FIRST),
            file("c1", "CHAT", FIRST),
            file("t1", "TRANSCRIPT", FIRST),
            file("cc", "CC", FIRST),
        ]);
        assert_eq!(ids(files), ["a1", "t1", "a2", "t2"]);
    }

    #[test]
    fn a_file_that_is_empty_or_not_complete_is_left_out() {
        let (mut made, mut empty) = (file("made", "M4A", FIRST), file("empty", "TRANSCRIPT", FIRST));
        made["status"] = "processing".into();
        empty["file_size"] = json!(0);
        assert_eq!(ids(json!([made, empty, 5, null, "x"])), Vec::<String>::new());
    }

    #[test]
    fn the_type_says_what_a_file_is_and_not_the_extension() {
        let mut transcript = file("t", "TRANSCRIPT", FIRST);
        transcript["file_extension"] = "M4A".into();
        let found = chosen(&json!({ "recording_files": [transcript] }));
        assert_eq!((found[0].kind, found[0].media_type), (MaterialKind::Transcript, "text/vtt"));
        let untyped = json!({ "id": "a", "recording_type": "audio_only", "file_size": 1 });
        assert_eq!(ids(json!([untyped])), ["a"]);
    }

    #[test]
    fn a_file_without_an_id_is_the_same_file_in_every_list() {
        let mut nameless = file("x", "M4A", FIRST);
        nameless["id"].take();
        let listed = json!({ "uuid": "a==", "recording_files": [nameless] });
        let id = &chosen(&listed)[0].id;
        assert_eq!(id, "a==/audio/mp4/2026-03-04T09:00:00Z");
        assert_eq!(address_of(&listed, id).as_deref(), Some("https://zoom.us/rec/x"));
        assert_eq!(address_of(&listed, "other"), None);
    }

    #[test]
    fn a_token_of_zooms_goes_to_zooms_hosts_only() {
        for host in [
            "zoom.us",
            "us02web.zoom.us",
            "file-paa.zoom.us",
            "ssrweb.zoom.us",
            "zoomgov.com",
            "a.zoomgov.com",
        ] {
            assert!(is_zooms(host), "{host}");
        }
        for host in ["zoom.us.example.com", "notzoom.us", "examplezoom.us", "zoomus", "", "s3.amazonaws.com"]
        {
            assert!(!is_zooms(host), "{host}");
        }
    }

    proptest! {
        #[test]
        fn no_list_is_too_odd_to_be_looked_at(kind in ".{0,9}", start in ".{0,30}", size in any::<i64>(), text in ".{0,9}") {
            let odd = json!([{ "file_type": kind, "recording_start": start, "file_size": size, "id": text }, [text], text]);
            chosen(&json!({ "recording_files": odd, "uuid": size }));
            chosen(&json!({ "recording_files": text }));
            chosen(&json!(size));
        }
    }
}
