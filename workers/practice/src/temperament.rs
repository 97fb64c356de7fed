//! What a temperament does to how somebody speaks: the words, the length, the patience and the voice.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

/// A trait of a representative.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
    VariantNames,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Trait {
    Angry,
    Arrogant,
    Soft,
    ColdHearted,
    Nice,
    Cool,
    NotWell,
    Analytical,
}

impl Trait {
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;
    pub const NAMES: &'static [&'static str] = <Self as VariantNames>::VARIANTS;

    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// The settings of a voice, each from 0 to 1, as the providers of voices take them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Voice {
    pub stability: f64,
    pub similarity: f64,
    pub style: f64,
    pub speaker_boost: bool,
    /// 1 is the usual speed.
    pub speed: f64,
}

/// How somebody speaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Manner {
    /// The highest number of sentences of an answer.
    pub max_sentences: usize,
    /// How many words this person speaks in a minute.
    pub words_per_minute: u32,
    /// How many turns without anything new this person bears before saying so.
    pub patience: u32,
    /// How much more has to be shown before this person gives way. It is added to the difficulty.
    pub stubbornness: i32,
    pub voice: Voice,
    /// Sentences with which an answer can begin. An empty one means that it begins with the matter itself.
    pub openers: Vec<&'static str>,
    /// What this person says when nothing new comes.
    pub impatient: Vec<&'static str>,
    /// Instructions for a model.
    pub directions: Vec<&'static str>,
}

/// What one trait brings.
struct Means {
    max_sentences: usize,
    words_per_minute: u32,
    patience: u32,
    stubbornness: i32,
    voice: Voice,
    openers: &'static [&'static str],
    impatient: &'static str,
    directions: &'static str,
}

const fn voice(stability: f64, similarity: f64, style: f64, speaker_boost: bool, speed: f64) -> Voice {
    Voice { stability, similarity, style, speaker_boost, speed }
}

#[expect(clippy::too_many_lines, reason = "it is a table with a row for each trait")]
const fn means(of: Trait) -> Means {
    match of {
        Trait::Angry => Means {
            max_sentences: 3,
            words_per_minute: 180,
            patience: 2,
            stubbornness: 1,
            voice: voice(0.3, 0.8, 0.6, true, 1.1),
            openers: &[
                "Look, I don't have time for this.",
                "Oh, come on!",
                "That is exactly what annoys me!",
            ],
            impatient: "We are going in circles, and I have had enough of that!",
            directions: "You are angry: you speak sharply, you challenge what you hear, and you lose patience soon. You never insult.",
        },
        Trait::Arrogant => Means {
            max_sentences: 3,
            words_per_minute: 155,
            patience: 3,
            stubbornness: 1,
            voice: voice(0.7, 0.7, 0.5, true, 1.0),
            openers: &[
                "I have seen a dozen of these.",
                "Obviously.",
                "Let me explain how this works at our level.",
            ],
            impatient: "I expected more than that, frankly.",
            directions: "You are arrogant: you think you know better, you mention your experience, and you are not easily impressed.",
        },
        Trait::Soft => Means {
            max_sentences: 3,
            words_per_minute: 130,
            patience: 7,
            stubbornness: -1,
            voice: voice(0.8, 0.6, 0.3, true, 0.95),
            openers: &["Thank you, that is kind.", "I may be wrong, of course.", "Please take your time."],
            impatient: "Maybe we could look at something else, if that is all right?",
            directions: "You are soft: you speak gently, you encourage, and you are patient. You avoid a hard no.",
        },
        Trait::ColdHearted => Means {
            max_sentences: 1,
            words_per_minute: 140,
            patience: 3,
            stubbornness: 1,
            voice: voice(0.9, 0.5, 0.2, false, 1.0),
            openers: &["", "Noted.", "No."],
            impatient: "This adds nothing.",
            directions: "You are cold: one short sentence, facts only, no warmth.",
        },
        Trait::Nice => Means {
            max_sentences: 3,
            words_per_minute: 150,
            patience: 6,
            stubbornness: -1,
            voice: voice(0.6, 0.7, 0.4, true, 1.0),
            openers: &[
                "Thanks for explaining that!",
                "That's a good thought.",
                "I'm happy to talk about this.",
            ],
            impatient: "I like our talk, but I would love to hear something more concrete.",
            directions: "You are friendly and warm: you thank people and help the talk along.",
        },
        Trait::Cool => Means {
            max_sentences: 2,
            words_per_minute: 145,
            patience: 5,
            stubbornness: 0,
            voice: voice(0.5, 0.75, 0.0, true, 0.97),
            openers: &["Sure.", "Fair enough.", "No rush."],
            impatient: "All good, but let's move on.",
            directions: "You are relaxed and confident: short, casual sentences, never in a hurry.",
        },
        Trait::NotWell => Means {
            max_sentences: 2,
            words_per_minute: 115,
            patience: 2,
            stubbornness: 0,
            voice: voice(0.55, 0.75, 0.0, false, 0.85),
            openers: &[
                "Sorry, I have a headache today.",
                "Excuse me, one moment.",
                "Could you say that more slowly?",
            ],
            impatient: "I'm sorry, I can't concentrate any longer. Could we keep this short?",
            directions: "You are not well today: you tire soon, you ask for short answers, and you sometimes ask people to repeat.",
        },
        Trait::Analytical => Means {
            max_sentences: 4,
            words_per_minute: 140,
            patience: 5,
            stubbornness: 0,
            voice: voice(0.8, 0.6, 0.3, true, 0.98),
            openers: &[
                "Let me take that step by step.",
                "What is the number behind that?",
                "I would like to see the data.",
            ],
            impatient: "I still have no number that I could check.",
            directions: "You are analytical: you ask for numbers, sources and definitions, and you notice gaps in a reasoning.",
        },
    }
}

/// The manner of somebody without any of the traits.
fn plain() -> Manner {
    Manner {
        max_sentences: 3,
        words_per_minute: 150,
        patience: 4,
        stubbornness: 0,
        voice: voice(0.5, 0.75, 0.0, true, 1.0),
        openers: vec![""],
        impatient: vec!["I think we have covered this."],
        directions: vec!["You speak in a businesslike way."],
    }
}

/// The manner that these traits make together. Numbers are between those of the traits, and the shortest patience and the
/// shortest length win.
pub fn manner(traits: &[Trait]) -> Manner {
    let all: Vec<Means> = traits.iter().map(|one| means(*one)).collect();
    let Some(first) = all.first() else { return plain() };
    #[expect(clippy::cast_precision_loss, reason = "there are eight traits")]
    let count = all.len() as f64;
    let mean = |of: fn(&Voice) -> f64| all.iter().map(|one| of(&one.voice)).sum::<f64>() / count;
    Manner {
        max_sentences: all.iter().map(|one| one.max_sentences).min().unwrap_or(3),
        words_per_minute: all.iter().map(|one| one.words_per_minute).sum::<u32>()
            / u32::try_from(all.len()).unwrap_or(1),
        patience: all.iter().map(|one| one.patience).min().unwrap_or(4),
        stubbornness: all.iter().map(|one| one.stubbornness).sum::<i32>().clamp(-2, 2),
        voice: Voice {
            stability: mean(|voice| voice.stability),
            similarity: mean(|voice| voice.similarity),
            style: mean(|voice| voice.style),
            speaker_boost: first.voice.speaker_boost,
            speed: mean(|voice| voice.speed),
        },
        openers: all.iter().flat_map(|one| one.openers.iter().copied()).collect(),
        impatient: all.iter().map(|one| one.impatient).collect(),
        directions: all.iter().map(|one| one.directions).collect(),
    }
}

/// How hard it is to win somebody over.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
    VariantNames,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Difficulty {
    Beginner,
    Intermediate,
    Advanced,
    Expert,
}

impl Difficulty {
    pub const NAMES: &'static [&'static str] = <Self as VariantNames>::VARIANTS;
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;

    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// How many good moves of the trainee come before the first concession of somebody with this manner.
    pub fn moves_before_concession(self, manner: &Manner) -> u32 {
        let base = match self {
            Self::Beginner => 1,
            Self::Intermediate => 3,
            Self::Advanced => 5,
            Self::Expert => 8,
        };
        u32::try_from(base + manner.stubbornness).unwrap_or(0).max(1)
    }

    /// How many questions about it the trainee asks before somebody tells the limit that nobody tells unasked.
    pub fn questions_before_limit(self) -> u32 {
        match self {
            Self::Beginner => 1,
            Self::Intermediate => 2,
            Self::Advanced => 3,
            Self::Expert => 4,
        }
    }

    /// How many of the objections are raised without being asked for.
    pub fn objections(self) -> usize {
        match self {
            Self::Beginner => 1,
            Self::Intermediate => 2,
            Self::Advanced | Self::Expert => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_trait_changes_words_length_or_patience_and_the_voice() {
        let mut seen = BTreeSet::new();
        for one in Trait::ALL {
            let manner = manner(&[*one]);
            let usual = plain();
            assert_ne!(manner.openers, usual.openers, "{one:?}");
            assert_ne!(manner.voice, usual.voice, "{one:?}: a listener hears no difference");
            assert!(
                (manner.max_sentences, manner.patience, manner.words_per_minute)
                    != (usual.max_sentences, usual.patience, usual.words_per_minute),
                "{one:?}"
            );
            assert!(seen.insert(format!("{manner:?}")), "{one:?} is like another one");
        }
        assert_eq!(manner(&[Trait::ColdHearted]).max_sentences, 1);
        assert!(manner(&[Trait::Angry]).patience < manner(&[Trait::Soft]).patience);
        assert!(manner(&[Trait::Angry]).voice.stability < manner(&[Trait::ColdHearted]).voice.stability);
    }

    #[test]
    fn several_traits_work_together_and_not_only_the_first() {
        let (one, both) = (manner(&[Trait::Analytical]), manner(&[Trait::Analytical, Trait::ColdHearted]));
        assert_eq!(both.max_sentences, 1);
        assert!(both.voice.stability > one.voice.stability);
        assert!(both.openers.len() > one.openers.len());
        assert_eq!(both.directions.len(), 2);
    }

    #[test]
    fn concessions_come_later_as_difficulty_rises_whatever_the_temperament() {
        for traits in [&[][..], &[Trait::Soft], &[Trait::Angry, Trait::Arrogant]] {
            let manner = manner(traits);
            let moves: Vec<u32> =
                Difficulty::ALL.iter().map(|one| one.moves_before_concession(&manner)).collect();
            assert!(moves.windows(2).all(|pair| pair[0] < pair[1]), "{moves:?}");
        }
        let limits: Vec<u32> = Difficulty::ALL.iter().map(|one| one.questions_before_limit()).collect();
        assert!(limits.windows(2).all(|pair| pair[0] < pair[1]), "{limits:?}");
    }
}
