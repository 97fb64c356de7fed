//! Decides which files belong together.
//!
//! A lead does not name its session, but a session names its lead: the agent noted the lead with a function call
//! whose arguments hold the same e-mail address. A weaker rule, such as the newest file or the first file, would give
//! the words of one caller to another. The files of a meeting have the same name, or are the only files in their
//! folder.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::ImportKind;
use super::classify::{FileKind, Lead, Session, rank};

pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) found: FileKind,
}

/// The files of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// The file that stands for the call in what the user reads.
    pub(super) path: PathBuf,
    pub(super) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Session {
        lead: Option<PathBuf>,
    },
    /// `meeting` is the file with the JSON of the meeting.
    Meeting {
        meeting: Option<PathBuf>,
        transcript: Option<PathBuf>,
        audio: Option<PathBuf>,
    },
    Audio,
}

impl Item {
    /// Every file of the call. The first is the one that stands for the call.
    pub(super) fn files(&self) -> Vec<&Path> {
        let others: Vec<&Option<PathBuf>> = match &self.what {
            What::Session { lead } => vec![lead],
            What::Meeting { meeting, transcript, audio } => vec![meeting, transcript, audio],
            What::Audio => vec![],
        };
        let others = others.into_iter().flatten().map(PathBuf::as_path).filter(|path| *path != self.path);
        std::iter::once(self.path.as_path()).chain(others).collect()
    }
}

impl What {
    pub(super) fn lead_mut(&mut self) -> Option<&mut Option<PathBuf>> {
        match self {
            Self::Session { lead } => Some(lead),
            Self::Meeting { .. } | Self::Audio => None,
        }
    }
}

/// Something that the user should read about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remark {
    pub(super) path: PathBuf,
    pub(super) why: String,
}

impl Remark {
    pub(super) fn new(path: &Path, why: impl Into<String>) -> Self {
        Self { path: path.to_owned(), why: why.into() }
    }
}

#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) items: Vec<Item>,
    pub(super) failures: Vec<Remark>,
    /// Files that are left out although nothing is wrong with them.
    pub(super) notes: Vec<Remark>,
    /// Files that say the same as another file, which is brought in.
    pub(super) repeated: Vec<Remark>,
}

/// Decides which files are one call. `same_words` tells whether two transcripts say the same.
pub(super) fn plan(files: Vec<File>, kind: ImportKind, same_words: &dyn Fn(&Path, &Path) -> bool) -> Plan {
    plan_apart(files, kind, same_words, None)
}

/// Like [`plan`]. The files in the folder `apart` belong together only where they have the same name: what lies beside
/// each other there came at the same time by chance.
pub(super) fn plan_apart(
    files: Vec<File>,
    kind: ImportKind,
    same_words: &dyn Fn(&Path, &Path) -> bool,
    apart: Option<&Path>,
) -> Plan {
    let mut plan = Plan::default();
    let (mut sessions, mut leads) = (Vec::new(), Vec::new());
    let mut folders: BTreeMap<PathBuf, Folder> = BTreeMap::new();
    for File { path, found } in files {
        match found {
            FileKind::Session(session) => sessions.push((path, session)),
            FileKind::Lead(lead) => leads.push((path, lead)),
            FileKind::Audio if kind == ImportKind::Audio => plan.items.push(Item { path, what: What::Audio }),
            FileKind::Meeting => parts(&mut folders, &path).meetings.push(path),
            FileKind::Transcript => parts(&mut folders, &path).transcripts.push(path),
            FileKind::Audio => parts(&mut folders, &path).audios.push(path),
            FileKind::Other(why) => plan.notes.push(Remark { path, why }),
            FileKind::Broken(why) => plan.failures.push(Remark { path, why }),
        }
    }
    with_leads(&mut plan, sessions, &leads);
    for (path, mut folder) in folders {
        if Some(path.as_path()) != apart {
            join_the_only_ones(&mut folder);
        }
        for parts in folder.into_values() {
            plan.take(parts, kind, same_words);
        }
    }
    plan.items.sort_by(|a, b| a.path.cmp(&b.path));
    plan
}

fn with_leads(plan: &mut Plan, sessions: Vec<(PathBuf, Session)>, leads: &[(PathBuf, Lead)]) {
    let mut lead_of = belonging(&sessions, leads);
    let taken: HashSet<usize> = lead_of.values().copied().collect();
    let left = leads.iter().enumerate().filter(|(index, _)| !taken.contains(index));
    let why = "no session here notes a lead with its e-mail address";
    plan.notes.extend(left.map(|(_, (path, _))| Remark::new(path, why)));
    for (index, (path, _)) in sessions.into_iter().enumerate() {
        let lead = lead_of.remove(&index).map(|lead| leads[lead].0.clone());
        plan.items.push(Item { path, what: What::Session { lead } });
    }
}

/// Finds the lead of each session that has one. Sessions and leads are given by their index. A caller who called
/// twice has two sessions and two leads. The session and the lead that are nearest in time belong together. A lead
/// that was noted after the start of a session is preferred to a lead that was noted earlier.
fn belonging(sessions: &[(PathBuf, Session)], leads: &[(PathBuf, Lead)]) -> BTreeMap<usize, usize> {
    let mut sessions_of: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, (_, session)) in sessions.iter().enumerate() {
        for email in &session.emails {
            sessions_of.entry(email).or_default().push(index);
        }
    }
    let mut pairs = Vec::new();
    for (lead, (_, Lead { email, noted_at })) in leads.iter().enumerate() {
        for &session in sessions_of.get(email.as_str()).into_iter().flatten() {
            let distance = noted_at.zip(sessions[session].1.starts_at).map(|(noted_at, starts_at)| {
                let gap = noted_at - starts_at;
                (gap < chrono::TimeDelta::zero(), gap.abs())
            });
            pairs.push((distance.is_none(), distance, session, lead));
        }
    }
    pairs.sort();
    let (mut lead_of, mut taken) = (BTreeMap::new(), HashSet::new());
    for (.., session, lead) in pairs {
        if !lead_of.contains_key(&session) && taken.insert(lead) {
            lead_of.insert(session, lead);
        }
    }
    lead_of
}

/// The files of one folder, sorted by their names without the extensions.
type Folder = BTreeMap<OsString, Parts>;

/// The files that have the same name without the extension.
#[derive(Default)]
struct Parts {
    meetings: Vec<PathBuf>,
    transcripts: Vec<PathBuf>,
    audios: Vec<PathBuf>,
}

fn parts<'a>(folders: &'a mut BTreeMap<PathBuf, Folder>, path: &Path) -> &'a mut Parts {
    let folder = folders.entry(path.parent().unwrap_or(Path::new("")).to_owned()).or_default();
    folder.entry(path.file_stem().unwrap_or_default().to_owned()).or_default()
}

/// Joins the files of a folder that holds one meeting, at most one transcript and at most one recording. They belong
/// together, even where a product gave them different names.
fn join_the_only_ones(folder: &mut Folder) {
    let mut names = folder.iter().filter(|(_, parts)| !parts.meetings.is_empty()).map(|(name, _)| name);
    let (Some(name), None) = (names.next().cloned(), names.next()) else { return };
    let having = |has: fn(&Parts) -> bool| folder.values().filter(|parts| has(parts)).count();
    if having(|parts| !parts.transcripts.is_empty()) > 1 || having(|parts| !parts.audios.is_empty()) > 1 {
        return;
    }
    let mut whole = Parts::default();
    for parts in std::mem::take(folder).into_values() {
        whole.meetings.extend(parts.meetings);
        whole.transcripts.extend(parts.transcripts);
        whole.audios.extend(parts.audios);
    }
    folder.insert(name, whole);
}

impl Plan {
    /// Makes a call of the files with one name. A transcript with other words than the first one is a call of its own,
    /// so that no words are lost. Of several recordings only the first is taken, because nobody can say whether they
    /// are the same.
    fn take(&mut self, mut parts: Parts, kind: ImportKind, same_words: &dyn Fn(&Path, &Path) -> bool) {
        parts.transcripts.sort_by_key(|path| rank(path));
        let mut different: Vec<PathBuf> = Vec::new();
        for path in parts.transcripts {
            match different.iter().find(|known| same_words(known, &path)) {
                Some(known) => {
                    let why = format!("it has the same words as {}, which is brought in", known.display());
                    self.repeated.push(Remark { path, why });
                }
                None => different.push(path),
            }
        }
        let mut transcripts = different.into_iter();
        let transcript = transcripts.next();
        let (meeting, audio) = (self.first(parts.meetings), self.first(parts.audios));
        let Some(path) = meeting.clone().or(transcript.clone()).or(audio.clone()) else { return };
        let only_audio = meeting.is_none() && transcript.is_none() && kind != ImportKind::Meeting;
        let what = if only_audio { What::Audio } else { What::Meeting { meeting, transcript, audio } };
        self.items.push(Item { path, what });
        self.items.extend(transcripts.map(|path| {
            let what = What::Meeting { meeting: None, transcript: Some(path.clone()), audio: None };
            Item { path, what }
        }));
    }

    fn first(&mut self, paths: Vec<PathBuf>) -> Option<PathBuf> {
        let mut paths = paths.into_iter();
        let first = paths.next()?;
        let why = format!(
            "it has the same name as {}, which is brought in; name it alone to bring it in too",
            first.display()
        );
        self.notes.extend(paths.map(|path| Remark { path, why: why.clone() }));
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::super::classify::classify;
    use super::super::files;
    use super::*;

    fn planned(files: Vec<(&str, FileKind)>) -> Plan {
        let files = files.into_iter().map(|(path, found)| File { path: path.into(), found });
        // The tests give the same words to files whose names say so.
        let same = |one: &Path, other: &Path| [one, other].iter().all(|path| path.starts_with("same"));
        plan(files.collect(), ImportKind::Auto, &same)
    }

    /// Writes an item as `path: partner partner`, with `-` for a missing partner.
    fn shown(plan: &Plan) -> Vec<String> {
        let name =
            |path: &Option<PathBuf>| path.as_ref().map_or("-".to_owned(), |path| path.display().to_string());
        let line = |item: &Item| match &item.what {
            What::Session { lead } => format!("{}: session {}", item.path.display(), name(lead)),
            What::Meeting { meeting, transcript, audio } => {
                format!("meeting {} {} {}", name(meeting), name(transcript), name(audio))
            }
            What::Audio => format!("{}: audio", item.path.display()),
        };
        plan.items.iter().map(line).collect()
    }

    fn at(time: &str) -> DateTime<Utc> {
        format!("2025-10-{time}:00Z").parse().unwrap()
    }

    fn session(email: &str, time: &str) -> FileKind {
        FileKind::Session(Session { emails: vec![email.into()], starts_at: Some(at(time)) })
    }

    fn lead(email: &str, time: &str) -> FileKind {
        FileKind::Lead(Lead { email: email.into(), noted_at: Some(at(time)) })
    }

    #[test]
    fn the_samples_belong_together_as_their_expectation_says() {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/sessions");
        let (paths, _) = files::below(&[samples.join("conversations"), samples.join("leads")]);
        let files = paths.into_iter().map(|path| {
            let found = classify(&path, ImportKind::Auto, &Utc);
            File { path, found }
        });
        let plan = plan(files.collect(), ImportKind::Auto, &|_, _| false);
        let file_name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(samples.join("expected_matching.json")).unwrap();
        let expected: BTreeMap<String, Option<String>> = serde_json::from_str(&text).unwrap();
        for item in &plan.items {
            let What::Session { lead } = &item.what else { panic!("{item:?}") };
            let wanted = expected.get(&file_name(&item.path)).cloned().flatten();
            assert_eq!(lead.as_deref().map(file_name), wanted, "{}", item.path.display());
        }
        // The two remarks are about the truncated file, and about the lead that belongs to no session.
        let broken: Vec<_> = plan.failures.iter().map(|said| file_name(&said.path)).collect();
        assert_eq!(broken, ["transcript_session_2025-10-23T12-05-00.000000.json"]);
        let left: Vec<_> = plan.notes.iter().map(|said| file_name(&said.path)).collect();
        assert_eq!(left, ["lead_20250901_090000.json"]);
        assert_eq!(plan.items.len(), 5);
    }

    #[test]
    fn who_calls_again_gets_the_lead_of_each_call() {
        let plan = planned(vec![
            ("late", session("a@b.c", "23T12:00")),
            ("early", session("a@b.c", "23T10:00")),
            ("lead-2", lead("a@b.c", "23T12:05")),
            ("lead-1", lead("a@b.c", "23T11:58")),
        ]);
        assert_eq!(shown(&plan), ["early: session lead-1", "late: session lead-2"]);
    }

    #[test]
    fn a_lead_belongs_to_one_session_and_to_none_that_does_not_name_it() {
        let plan = planned(vec![
            ("again", session("a@b.c", "24T12:00")),
            ("first", session("a@b.c", "23T12:00")),
            ("other", session("x@b.c", "23T12:01")),
            ("lead", lead("a@b.c", "23T12:05")),
        ]);
        assert_eq!(shown(&plan), ["again: session -", "first: session lead", "other: session -"]);
        // A session and a lead belong together even where one clock was wrong.
        let plan = planned(vec![("a", session("a@b.c", "23T12:00")), ("b", lead("a@b.c", "23T07:30"))]);
        assert_eq!(shown(&plan), ["a: session b"]);
    }

    #[test]
    fn a_meetings_files_have_one_name() {
        let plan = planned(vec![
            ("m/a.json", FileKind::Meeting),
            ("m/a.vtt", FileKind::Transcript),
            ("m/a.m4a", FileKind::Audio),
            ("m/b.json", FileKind::Meeting),
            ("m/b.mp3", FileKind::Audio),
            ("m/c.vtt", FileKind::Transcript),
            ("m/d.wav", FileKind::Audio),
            ("n/a.vtt", FileKind::Transcript),
        ]);
        let wanted = [
            "meeting m/a.json m/a.vtt m/a.m4a",
            "meeting m/b.json - m/b.mp3",
            "meeting - m/c.vtt -",
            "m/d.wav: audio",
            "meeting - n/a.vtt -",
        ];
        assert_eq!(shown(&plan), wanted);
    }

    #[test]
    fn the_only_transcript_is_that_of_the_only_meeting_in_the_folder() {
        let one = planned(vec![
            ("m/meeting.json", FileKind::Meeting),
            ("m/transcript.vtt", FileKind::Transcript),
            ("m/sound.m4a", FileKind::Audio),
        ]);
        assert_eq!(shown(&one), ["meeting m/meeting.json m/transcript.vtt m/sound.m4a"]);
        let several = planned(vec![
            ("m/meeting.json", FileKind::Meeting),
            ("m/one.vtt", FileKind::Transcript),
            ("m/two.vtt", FileKind::Transcript),
        ]);
        let wanted = ["meeting m/meeting.json - -", "meeting - m/one.vtt -", "meeting - m/two.vtt -"];
        assert_eq!(shown(&several), wanted);
    }

    #[test]
    fn of_a_transcript_in_several_formats_the_richest_is_taken() {
        let plan = planned(vec![
            ("same/a.txt", FileKind::Transcript),
            ("same/a.srt", FileKind::Transcript),
            ("same/a.vtt", FileKind::Transcript),
        ]);
        assert_eq!(shown(&plan), ["meeting - same/a.vtt -"]);
        let why = "it has the same words as same/a.vtt, which is brought in";
        let said: Vec<_> = ["same/a.srt", "same/a.txt"].map(|path| Remark::new(Path::new(path), why)).into();
        assert_eq!((plan.repeated, plan.notes), (said, vec![]));
    }

    #[test]
    fn a_transcript_with_other_words_is_another_call_although_it_has_the_same_name() {
        let plan = planned(vec![
            ("m/a.json", FileKind::Meeting),
            ("m/a.srt", FileKind::Transcript),
            ("m/a.vtt", FileKind::Transcript),
        ]);
        assert_eq!(shown(&plan), ["meeting m/a.json m/a.vtt -", "meeting - m/a.srt -"]);
        assert_eq!((plan.repeated, plan.notes), (vec![], vec![]));
    }

    #[test]
    fn a_second_recording_of_the_same_name_is_not_said_to_be_the_same() {
        let plan = planned(vec![("m/a.mp3", FileKind::Audio), ("m/a.wav", FileKind::Audio)]);
        assert_eq!(shown(&plan), ["m/a.mp3: audio"]);
        assert!(plan.notes[0].why.contains("same name as m/a.mp3"), "{:?}", plan.notes);
    }
}
