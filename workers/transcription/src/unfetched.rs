//! Asks for the details of a call whose recording did not come from the provider that announced the call.
//!
//! A telephony provider tells of a call by its own callback, and knows how long it was only later. Where an automation tool
//! brings the address of the recording meanwhile, the provider is not asked for the recording any more, and so it would
//! never be asked for the length.

use domain::event::{MaterialAt, MaterialKind};
use domain::held_file::HeldFile;
use queue_topology::{Cx, StageError};
use store::StoredMaterial;

use crate::held;
use crate::material::Source;
use crate::pieces::Piece;

/// Adds what the holder of a file knows that no piece of the call was made from, if nobody said how long the call was.
pub(crate) async fn add_facts(
    cx: &Cx,
    source: &Source,
    arrived: &[StoredMaterial],
    pieces: &[Piece<'_>],
) -> Result<(), StageError> {
    if cx.call().await?.details.duration_ms.is_some() {
        return Ok(());
    }
    let is_used = |digest: &str| pieces.iter().any(|piece| piece.material.digest == digest);
    let others = arrived
        .iter()
        .rev()
        .map(|stored| &stored.material)
        .filter(|material| material.kind == MaterialKind::Recording && !is_used(&material.digest));
    for material in others {
        let MaterialAt::SealedUrl(sealed) = &material.at else { continue };
        let Some(file) = HeldFile::read(&source.open(cx, sealed)?) else { continue };
        if let Some(holder) = source.holders.get(file.holder()) {
            return held::add_facts(cx, holder.as_ref(), &file).await;
        }
    }
    Ok(())
}
