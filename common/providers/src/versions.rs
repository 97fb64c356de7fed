//! The models and API versions that we name. For each one, the table holds the day and the page on which it was
//! looked up.
//!
//! Providers retire models and versions, so a name that works today can be refused a year later. So each name is a
//! setting, its default stands only here, and `debrief check --connect` asks the provider whether it still exists.

/// A model or an API version of a provider.
#[derive(Clone, Copy, Debug)]
pub struct Version {
    /// The setting with which the user can name another model or version.
    pub setting: &'static str,
    pub default: &'static str,
    /// The day on which `source` was read, as YYYY-MM-DD.
    pub looked_up: &'static str,
    pub source: &'static str,
    /// What the source says about the age of the model or version.
    pub says: &'static str,
}

pub const ASSEMBLYAI_MODELS: Version = Version {
    setting: "ASSEMBLYAI_MODELS",
    default: "assemblyai-stt-3-7,universal-2",
    looked_up: "2026-11-29",
    source: "https://assemblyai.com/docs/getting-started/model-versions-and-deprecations",
    says: "assemblyai-stt-3-7 is the newest; universal-2 knows the languages that it does not; universal-3-pro is \
           refused since 2026-09-02, and universal-3-5-pro is deprecated",
};

pub const OPENAI_MODEL: Version = Version {
    setting: "OPENAI_MODEL",
    default: "gpt-6-luna",
    looked_up: "2026-11-29",
    source: "https://developers.openai.com/api/docs/deprecations",
    says: "it takes the place of gpt-4o-mini, gpt-4o and gpt-4.1, which are shut down on 2027-01-14",
};

pub const OPENAI_TRANSCRIBE_MODEL: Version = Version {
    setting: "OPENAI_TRANSCRIBE_MODEL",
    default: "gpt-4o-transcribe-diarize",
    looked_up: "2026-11-30",
    source: "https://developers.openai.com/api/docs/deprecations",
    says: "it and whisper-1 stay; gpt-transcribe is the newest and tells no speakers apart; gpt-4o-transcribe is deprecated",
};

pub const DEEPGRAM_MODEL: Version = Version {
    setting: "DEEPGRAM_MODEL",
    default: "nova-3",
    looked_up: "2026-11-30",
    source: "https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded",
    says: "nova-3 stands first in the list of models, and takes key terms",
};

pub const ASSEMBLYAI_STREAM_MODEL: Version = Version {
    setting: "ASSEMBLYAI_STREAM_MODEL",
    default: "universal-streaming-multilingual",
    looked_up: "2026-11-30",
    source: "https://assemblyai.com/docs/streaming/select-the-speech-model",
    says: "it knows six languages; universal-streaming-english knows English only; the universal-3 models are dearer",
};

pub const OPENAI_STREAM_MODEL: Version = Version {
    setting: "OPENAI_STREAM_MODEL",
    default: "gpt-live-transcribe",
    looked_up: "2026-11-30",
    source: "https://developers.openai.com/api/docs/guides/realtime-transcription",
    says: "it is the one to start with; it has no voice detection of its own, so the client ends the turns",
};

pub const ELEVENLABS_TRANSCRIBE_MODEL: Version = Version {
    setting: "ELEVENLABS_TRANSCRIBE_MODEL",
    default: "scribe_v2",
    looked_up: "2026-11-30",
    source: "https://elevenlabs.io/docs/api-reference/speech-to-text/convert",
    says: "scribe_v2 transcribes files; scribe_v1 is older and takes no key terms",
};

pub const ELEVENLABS_SPEECH_MODEL: Version = Version {
    setting: "ELEVENLABS_SPEECH_MODEL",
    default: "eleven_flash_v2_5",
    looked_up: "2026-11-30",
    source: "https://elevenlabs.io/docs/overview/models",
    says: "eleven_flash_v2_5 answers soonest, in 32 languages; eleven_v3 and eleven_multilingual_v2 take longer",
};

pub const OPENAI_SPEECH_MODEL: Version = Version {
    setting: "OPENAI_SPEECH_MODEL",
    default: "gpt-4o-mini-tts",
    looked_up: "2026-11-30",
    source: "https://developers.openai.com/api/reference/resources/audio/subresources/speech/methods/create.md",
    says: "it takes directions; tts-1 and tts-1-hd are older and take none",
};

pub const SALESFORCE_API_VERSION: Version = Version {
    setting: "SALESFORCE_API_VERSION",
    default: "66.0",
    looked_up: "2026-11-29",
    source: "https://developer.salesforce.com/docs/platform/connect-rest-api/guide/intro_api_eol",
    says: "41.0 to 68.0 are supported, each for three years at least; 66.0 came out in spring 2026, and every org has it",
};

pub const ALL: &[Version] = &[
    ASSEMBLYAI_MODELS,
    OPENAI_MODEL,
    OPENAI_TRANSCRIBE_MODEL,
    DEEPGRAM_MODEL,
    ASSEMBLYAI_STREAM_MODEL,
    OPENAI_STREAM_MODEL,
    ELEVENLABS_TRANSCRIBE_MODEL,
    ELEVENLABS_SPEECH_MODEL,
    OPENAI_SPEECH_MODEL,
    SALESFORCE_API_VERSION,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_a_day_and_a_source() {
        for version in ALL {
            let day: Vec<_> = version.looked_up.split('-').map(|part| part.parse::<u32>().unwrap()).collect();
            assert!(matches!(day[..], [2026..=2100, 1..=12, 1..=31]), "{version:?}");
            assert!(version.source.starts_with("https://") && !version.default.is_empty(), "{version:?}");
        }
    }

    #[test]
    fn each_version_is_the_default_of_a_setting() {
        for version in ALL {
            let key = crate::settings().flat_map(|group| group.keys).find(|key| key.name == version.setting);
            assert_eq!(key.unwrap().default, version.default, "{}", version.setting);
        }
    }
}
