//! What is killed, and when.

use std::time::Duration;

use anyhow::Context as _;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use simulators::deepgram;

use crate::run::random_time;
use crate::world::World;

use super::sender::Strings;
use super::sound;

/// How much audio there is for each kill beside what the plan asks for: it is sent while a process starts again.
const FOR_A_KILL_MS: u64 = 12_000;
/// How much audio is sent before the next kill, in milliseconds of sound.
const BETWEEN_KILLS_MS: std::ops::Range<u64> = 400..5_000;
/// One kill in so many comes soon after the one before, whether its harm is mended or not.
const SOON_IN: u32 = 4;
const SOON_MS: std::ops::Range<u64> = 0..900;
/// The time that a process stays dead, in milliseconds.
const DEAD_MS: std::ops::Range<u64> = 0..600;
/// The sender sends again within this time, whatever was killed.
const SENDS_WITHIN: Duration = Duration::from_mins(1);
/// A stream to the provider of speech is open within this time, unless it has been given up.
const OPENS_WITHIN: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victim {
    /// The connection of the sender breaks without a word.
    Sender,
    /// The connections to the provider of speech break without a word.
    Provider,
    Process,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// When so many bytes more were sent.
    Sent(usize),
    /// So long after the kill before, or after its process has started again.
    After(Duration),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Kill {
    victim: Victim,
    pub(super) when: When,
}

/// How much audio a plan needs, in milliseconds of sound.
pub(super) fn audio_ms(plan: &[Kill]) -> u64 {
    let before = |kill: &Kill| if let When::Sent(bytes) = kill.when { sound::ms(bytes) } else { 0 };
    plan.iter().map(|kill| before(kill) + FOR_A_KILL_MS).sum()
}

/// Chooses so many kills. Each victim gets its share.
pub(super) fn plan(dice: &mut StdRng, kills: usize) -> Vec<Kill> {
    let mut victims: Vec<Victim> =
        [Victim::Sender, Victim::Provider, Victim::Process].into_iter().cycle().take(kills).collect();
    victims.shuffle(dice);
    let mut kill = |(nth, victim)| {
        let when = if nth > 0 && dice.random_ratio(1, SOON_IN) {
            When::After(random_time(dice, SOON_MS.start, SOON_MS.end))
        } else {
            When::Sent(sound::bytes_in(dice.random_range(BETWEEN_KILLS_MS)))
        };
        Kill { victim, when }
    };
    victims.into_iter().enumerate().map(&mut kill).collect()
}

/// Who kills.
pub(super) struct Killer<'a> {
    /// The processes that hear the call.
    pub(super) names: &'a [String],
    pub(super) strings: Strings,
    pub(super) dice: StdRng,
}

impl Killer<'_> {
    /// Carries the plan out, lets the session end, and kills a process once more while what was said goes into the
    /// pipeline.
    pub(super) async fn kill_all(&mut self, world: &mut World, plan: Vec<Kill>) -> anyhow::Result<()> {
        for kill in plan {
            self.kill(world, kill).await.with_context(|| format!("kill as planned: {kill:?}"))?;
        }
        self.strings.enough();
        tokio::time::timeout(SENDS_WITHIN, self.strings.asked_to_end())
            .await
            .context("the sender does not end the session")??;
        tokio::time::sleep(random_time(&mut self.dice, SOON_MS.start, SOON_MS.end)).await;
        self.kill_process(world).await
    }

    async fn kill(&mut self, world: &mut World, kill: Kill) -> anyhow::Result<()> {
        match kill.when {
            When::Sent(more) => {
                let sent = self.strings.sent_more(more);
                tokio::time::timeout(SENDS_WITHIN, sent).await.context("the sender does not go on")??;
            }
            When::After(time) => tokio::time::sleep(time).await,
        }
        match kill.victim {
            Victim::Sender => self.strings.cut(),
            Victim::Provider => {
                let speech = &world.simulators.of(&deepgram::PROVIDER);
                let open = async |_: &World| (speech.break_streams() > 0).then_some(());
                // Where the provider was given up, the next connection of the sender tries it again.
                if world.wait("a stream to the provider of speech", OPENS_WITHIN, open).await.is_err() {
                    self.strings.cut();
                }
            }
            Victim::Process => self.kill_process(world).await?,
        }
        Ok(())
    }

    async fn kill_process(&mut self, world: &mut World) -> anyhow::Result<()> {
        let name = self.names.choose(&mut self.dice).context("there is a process")?;
        world.kill(name).await?;
        tokio::time::sleep(random_time(&mut self.dice, DEAD_MS.start, DEAD_MS.end)).await;
        world.start_process(name).await
    }
}
