//! The names of containers, and what a container says of how it ends.

use std::io::{Read as _, SeekFrom};

use symphonia::core::formats::FormatId;
use symphonia::core::formats::well_known as format;

use super::source::{AudioError, Repair, Source};

/// How many chunks of a WAV file are looked at, and from which length on a length was never written.
const MAX_CHUNKS: usize = 64;
const NEVER_WRITTEN: u32 = 0x7fff_0000;

/// How many bytes at the end of an Ogg file hold its last page. A page is at most so long.
const OGG_PAGE_BYTES: u64 = 65_307;
/// Where the flags stand in the header of a page, and the one that says that the stream ends here.
const OGG_FLAGS_AT: usize = 5;
const OGG_LAST_PAGE: u8 = 0x04;
const OGG_HEADER_BYTES: usize = 27;

/// The name of a container, as the facts of a recording show it. `None` for one that we do not open.
pub(super) fn name(id: FormatId) -> Option<&'static str> {
    Some(match id {
        format::FORMAT_ID_WAVE => "wav",
        format::FORMAT_ID_AIFF => "aiff",
        format::FORMAT_ID_MP1 | format::FORMAT_ID_MP2 | format::FORMAT_ID_MP3 => "mp3",
        format::FORMAT_ID_ADTS => "aac",
        format::FORMAT_ID_OGG => "ogg",
        format::FORMAT_ID_FLAC => "flac",
        format::FORMAT_ID_ISOMP4 => "mp4",
        format::FORMAT_ID_MKV => "webm",
        _ => return None,
    })
}

/// A WAV file whose data chunk is longer than the file: what its header should say, and whether the file is whole. A
/// program that writes while it records leaves the greatest number in the header, and then nothing is missing.
pub(super) fn wav_repairs(source: &mut impl Source, bytes: u64) -> Result<(Vec<Repair>, bool), AudioError> {
    let mut at = 12;
    for _ in 0..MAX_CHUNKS {
        let mut chunk = Vec::new();
        source.seek(SeekFrom::Start(at)).map_err(AudioError::Source)?;
        source.by_ref().take(8).read_to_end(&mut chunk).map_err(AudioError::Source)?;
        let [name @ .., a, b, c, d] = chunk.as_slice() else { break };
        let length = u32::from_le_bytes([*a, *b, *c, *d]);
        let body = at + 8;
        if name == b"data" && body + u64::from(length) > bytes {
            let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
            let repairs = vec![(4, number(bytes - 8)), (at + 4, number(bytes.saturating_sub(body)))];
            return Ok((repairs, length >= NEVER_WRITTEN));
        }
        at = body + u64::from(length) + u64::from(length % 2);
    }
    Ok((Vec::new(), true))
}

/// Whether an Ogg file ends with a whole page that says that it is the last one. A program that was killed while it
/// recorded leaves a file that does not, and so does a download that broke off.
pub(super) fn ogg_is_whole(source: &mut impl Source, bytes: u64) -> Result<bool, AudioError> {
    let from = bytes.saturating_sub(OGG_PAGE_BYTES);
    source.seek(SeekFrom::Start(from)).map_err(AudioError::Source)?;
    let mut end = Vec::new();
    source.take(OGG_PAGE_BYTES).read_to_end(&mut end).map_err(AudioError::Source)?;
    let last = end.windows(4).rposition(|part| part == b"OggS");
    Ok(last.is_some_and(|at| is_last_page(&end[at..])))
}

fn is_last_page(page: &[u8]) -> bool {
    let (Some(flags), Some(segments)) = (page.get(OGG_FLAGS_AT), page.get(OGG_HEADER_BYTES - 1)) else {
        return false;
    };
    let lengths = OGG_HEADER_BYTES..OGG_HEADER_BYTES + usize::from(*segments);
    let Some(lengths) = page.get(lengths) else { return false };
    let body: usize = lengths.iter().map(|length| usize::from(*length)).sum();
    flags & OGG_LAST_PAGE != 0 && page.len() >= OGG_HEADER_BYTES + lengths.len() + body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(flags: u8) -> Vec<u8> {
        let mut page = b"OggS\0".to_vec();
        page.push(flags);
        page.extend([0; 20]);
        page.extend([1, 3, b'a', b'b', b'c']);
        page
    }

    #[test]
    fn an_ogg_file_is_whole_when_its_last_page_says_so_and_all_of_it_is_there() {
        let is_whole = |bytes: Vec<u8>| {
            let length = bytes.len() as u64;
            ogg_is_whole(&mut std::io::Cursor::new(bytes), length).unwrap()
        };
        assert!(is_whole([page(2), page(4)].concat()));
        assert!(!is_whole([page(2), page(0)].concat()));
        assert!(!is_whole([page(2), page(4)[..29].to_vec()].concat()));
        assert!(!is_whole(b"nothing".to_vec()));
    }
}
