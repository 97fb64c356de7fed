//! Decides from which material the transcript of a call is made, and joins the transcripts of its pieces.
//!
//! A session that a voice agent wrote itself is better than a transcript, and a transcript is better than audio. Of two
//! materials of the same kind the newer one counts. That holds for the whole call, or for each of its pieces: a meeting
//! that was recorded twice, or a call that was transferred, has material with different starts. Such material is not a
//! newer version of the same, so the transcripts of all pieces are joined in the order of their starts.

mod joining;
mod same_talk;

use std::time::Duration;

use domain::audio::MeasuredAudio;
use domain::call::{Call, CallDetails, CallKind};
use domain::event::{Material, MaterialKind};
use domain::fault::Fault;
use domain::moment::Moment;
use domain::note::Note;
use domain::transcript::Transcript;
use queue_topology::StageError;
use store::StoredMaterial;

/// Material whose starts are nearer than this belongs to one piece. Some sources round the start of a transcript to
/// another second than that of its recording.
const SAME_START: Duration = Duration::from_secs(2);

/// A piece of a call: the best material that begins at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Piece<'a> {
    pub(crate) material: &'a Material,
    /// `None` where the material is that of the whole call.
    pub(crate) starts_at: Option<Moment>,
}

/// How far a piece is, or the whole call.
pub(crate) enum Part {
    Transcript(Transcript),
    /// A provider works on it. The stage looks again after this time.
    Later(Duration),
}

/// Chooses the pieces of a call, in the order of their starts. `arrived` has the oldest material first.
pub(crate) fn of(arrived: &[StoredMaterial]) -> Vec<Piece<'_>> {
    let arrived = distinct(arrived);
    let whole = best(&arrived);
    let pieces = by_start(&arrived);
    let session = whole.filter(|piece| piece.material.kind == MaterialKind::Session);
    if let Some(session) = session {
        return vec![Piece { starts_at: None, ..session }];
    }
    if pieces.len() < 2 {
        return whole.map(|piece| Piece { starts_at: None, ..piece }).into_iter().collect();
    }
    // Somebody brought the transcript of the whole call. It counts where a piece has none, and where it is newer than
    // those of the pieces.
    let given: Vec<_> =
        arrived.iter().filter(|piece| piece.material.kind == MaterialKind::Transcript).collect();
    let last = given.last().filter(|piece| piece.starts_at.is_none());
    let of_all = given.iter().rev().find(|piece| piece.starts_at.is_none());
    let all_have_one = pieces.iter().all(|piece| piece.material.kind == MaterialKind::Transcript);
    match last.or_else(|| of_all.filter(|_| !all_have_one)) {
        Some(given) => vec![**given],
        None => pieces,
    }
}

/// What the pieces say about the call as a whole. A source that tells of each recording by itself gives each time the
/// start and the length of that recording as those of the call, so the last one that arrived would stay. `sounds` are the
/// recordings that were measured, in the order of the pieces.
pub(crate) fn whole(pieces: &[Piece<'_>], sounds: &[MeasuredAudio], known: &Call) -> Option<CallDetails> {
    let [first, .., last] = pieces else { return None };
    // The start of a meeting is that of the meeting.
    if known.kind != CallKind::Phone {
        return None;
    }
    let (first, last) = (first.starts_at?, last.starts_at?);
    let is_of_a_piece = pieces.iter().any(|piece| piece.starts_at == known.details.started_at);
    if !is_of_a_piece {
        return None;
    }
    let last_ms = sounds.last().filter(|_| sounds.len() == pieces.len());
    let duration_ms = last_ms.map(|sound| (last.micros() - first.micros()) / 1000 + sound.facts.duration_ms);
    Some(CallDetails { started_at: Some(first), duration_ms, ..CallDetails::default() })
}

/// The material without what arrived again. A later delivery can say when it starts.
fn distinct(arrived: &[StoredMaterial]) -> Vec<Piece<'_>> {
    let mut distinct: Vec<Piece<'_>> = Vec::with_capacity(arrived.len());
    for StoredMaterial { material, .. } in arrived {
        let known = distinct.iter().position(|known| known.material.digest == material.digest);
        let before = known.map(|known| distinct.remove(known));
        let starts_at = material.starts_at.or_else(|| before.and_then(|before| before.starts_at));
        distinct.push(Piece { material, starts_at });
    }
    distinct
}

fn best<'a>(arrived: &[Piece<'a>]) -> Option<Piece<'a>> {
    [MaterialKind::Session, MaterialKind::Transcript, MaterialKind::Recording]
        .into_iter()
        .find_map(|kind| arrived.iter().rev().find(|piece| piece.material.kind == kind))
        .copied()
}

/// The best material of each start, in the order of the starts.
fn by_start<'a>(arrived: &[Piece<'a>]) -> Vec<Piece<'a>> {
    // The sort keeps the order of arrival among those that start together.
    let mut started: Vec<_> = arrived.iter().filter_map(|piece| Some((piece.starts_at?, *piece))).collect();
    started.sort_by_key(|(start, _)| *start);
    let same = |one: &(Moment, Piece<'a>), other: &(Moment, Piece<'a>)| other.0.since(one.0) < SAME_START;
    let groups = started.chunk_by(same).filter_map(|group| {
        let (starts_at, _) = *group.first()?;
        // Within a group the order is that of arrival again.
        let in_group = |piece: &&Piece<'a>| group.iter().any(|(_, known)| known == *piece);
        let members: Vec<_> = arrived.iter().filter(in_group).copied().collect();
        Some(Piece { starts_at: Some(starts_at), ..best(&members)? })
    });
    groups.collect()
}

/// Gathers the transcripts of the pieces of a call. Every piece is begun before one is waited for. A piece that can never
/// be transcribed is left out with a note, if there is another one.
pub(crate) struct Gathering {
    /// Whether there is more than one piece.
    is_in_pieces: bool,
    parts: Vec<(Option<Moment>, Transcript)>,
    notes: Vec<Note>,
    /// How long to wait for the pieces on which a provider works.
    wait: Option<Duration>,
    failed: Option<StageError>,
}

impl Gathering {
    pub(crate) fn of(pieces: &[Piece<'_>]) -> Self {
        let is_in_pieces = pieces.len() > 1;
        Self { is_in_pieces, parts: Vec::new(), notes: Vec::new(), wait: None, failed: None }
    }

    /// Adds what became of a piece. An error that can pass ends the run: what was paid for is found again.
    pub(crate) fn add(
        &mut self,
        piece: &Piece<'_>,
        heard: Result<Part, StageError>,
    ) -> Result<(), StageError> {
        match heard {
            Ok(Part::Transcript(transcript)) => self.parts.push((piece.starts_at, transcript)),
            Ok(Part::Later(later)) => self.wait = Some(self.wait.map_or(later, |known| known.min(later))),
            Err(error) if error.fault == Fault::Permanent && self.is_in_pieces => {
                self.notes.push(left_out(piece, &error));
                self.failed = Some(error);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The transcript of the whole call, or how long to wait for it.
    pub(crate) fn end(self) -> Result<Part, StageError> {
        match (self.wait, self.failed) {
            (Some(wait), _) => Ok(Part::Later(wait)),
            (None, Some(error)) if self.parts.is_empty() => Err(error),
            _ => Ok(Part::Transcript(joining::joined(self.parts, self.notes))),
        }
    }
}

fn left_out(piece: &Piece<'_>, error: &StageError) -> Note {
    let starts_at = piece.starts_at.map(|start| format!(" that begins at {start}")).unwrap_or_default();
    let text =
        format!("The piece of the call{starts_at} could not be transcribed ({}) and is missing.", error.code);
    let note = Note::new("piece_not_transcribed", text);
    match piece.starts_at {
        Some(start) => note.of_field(&start.to_string()),
        None => note,
    }
}

#[cfg(test)]
mod tests;
