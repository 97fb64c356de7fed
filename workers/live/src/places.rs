//! Where the audio of a session is kept.

use store::live::LiveSession;

/// The largest piece, in bytes. A piece is decoded in memory.
pub(crate) const MAX_PIECE_BYTES: u64 = 64 * 1024 * 1024;

/// The key of a blob of this session.
pub(crate) fn place(session: &LiveSession, name: &str) -> String {
    format!("{}/{}/live/{name}", session.workspace, session.call)
}
