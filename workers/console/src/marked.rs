//! A text in which something is marked, such as what a search found.

use domain::search::Excerpt;

/// A piece of a text, which is marked or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) is_marked: bool,
}

/// A text with what lies at `places` marked. The places are in bytes, in their order, and do not overlap.
pub(crate) fn pieces(text: &str, places: &[(usize, usize)]) -> Vec<Piece> {
    let piece = |from: usize, to: usize, is_marked| Piece { text: text[from..to].to_owned(), is_marked };
    let mut pieces = Vec::new();
    let mut at = 0;
    for (start, end) in places {
        pieces.push(piece(at, *start, false));
        pieces.push(piece(*start, *end, true));
        at = *end;
    }
    pieces.push(piece(at, text.len(), false));
    pieces.retain(|piece| !piece.text.is_empty());
    pieces
}

/// The same of an excerpt, whose places count characters.
pub(crate) fn pieces_of(excerpt: &Excerpt) -> Vec<Piece> {
    let at = |chars: usize| excerpt.text.char_indices().nth(chars).map_or(excerpt.text.len(), |(at, _)| at);
    let places: Vec<_> = excerpt.marks.iter().map(|(start, end)| (at(*start), at(*end))).collect();
    pieces(&excerpt.text, &places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_marked_and_the_text_stays_whole() {
        let excerpt = Excerpt { text: "für Öl und Öl".into(), marks: vec![(4, 6), (11, 13)] };
        let found = pieces_of(&excerpt);
        let shown: Vec<_> = found.iter().map(|piece| (&*piece.text, piece.is_marked)).collect();
        assert_eq!(shown, [("für ", false), ("Öl", true), (" und ", false), ("Öl", true)]);
        assert_eq!(pieces("", &[]), []);
    }
}
