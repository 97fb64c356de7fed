//! Chooses the number of replicas as KEDA and the `HorizontalPodAutoscaler` of Kubernetes do it for a queue.
//!
//! KEDA asks for the length of the queue, and decides between no replica and one. Above one, the `HorizontalPodAutoscaler`
//! computes `ceil(messages / messages for each replica)`, ignores a difference of a tenth, and limits how fast replicas
//! are added and taken away. These are the documented algorithms
//! (<https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/>,
//! <https://keda.sh/docs/latest/concepts/scaling-deployments/>).

use std::time::Duration;

/// A difference that is smaller than this share changes nothing.
const TOLERANCE: f64 = 0.1;

/// The values of the chart.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How many messages one replica is meant for.
    pub messages: u64,
    pub min: u64,
    pub max: u64,
    /// How long a queue must be empty before the last replica is taken away. It matters only where `min` is 0.
    pub cooldown: Duration,
    /// A replica is taken away only when it was not needed for this long.
    pub down_window: Duration,
    /// In this time the replicas may double, or two may be added, whichever is more.
    pub up_period: Duration,
    /// In this time one replica may be taken away.
    pub down_period: Duration,
}

impl Policy {
    /// The policy in a world in which everything is so many times faster.
    pub fn faster(self, times: u32) -> Self {
        Self {
            cooldown: self.cooldown / times,
            down_window: self.down_window / times,
            up_period: self.up_period / times,
            down_period: self.down_period / times,
            ..self
        }
    }
}

/// What the controller remembers between two looks. Times are counted from the start.
#[derive(Debug)]
pub struct Autoscaler {
    policy: Policy,
    replicas: u64,
    last_active: Option<Duration>,
    /// What was recommended, and when.
    recommended: Vec<(Duration, u64)>,
    /// How many replicas were added (above 0) or taken away (below 0), and when.
    changes: Vec<(Duration, i64)>,
}

impl Autoscaler {
    pub fn new(policy: Policy) -> Self {
        Self { policy, replicas: policy.min, last_active: None, recommended: Vec::new(), changes: Vec::new() }
    }

    /// Returns how many replicas there should be, when this many messages wait or are in hand.
    pub fn look(&mut self, now: Duration, messages: u64) -> u64 {
        let wanted = match self.activated(now, messages) {
            Some(decided) => decided,
            None => self.scaled(now, messages),
        };
        let change = wanted.cast_signed() - self.replicas.cast_signed();
        if change != 0 {
            self.changes.push((now, change));
            self.replicas = wanted;
        }
        wanted
    }

    /// KEDA's part: between no replica and one.
    fn activated(&mut self, now: Duration, messages: u64) -> Option<u64> {
        let Policy { min, cooldown, .. } = self.policy;
        if messages > 0 {
            self.last_active = Some(now);
            return (self.replicas == 0).then(|| min.max(1));
        }
        if self.replicas == 0 {
            return Some(0);
        }
        let is_cool = self.last_active.is_none_or(|active| now.saturating_sub(active) >= cooldown);
        (min == 0 && is_cool).then_some(0)
    }

    /// The part of the `HorizontalPodAutoscaler`: above one replica.
    fn scaled(&mut self, now: Duration, messages: u64) -> u64 {
        let Policy { messages: each, min, max, down_window, .. } = self.policy;
        let each = each.max(1);
        let recommended = if is_tolerated(messages, each * self.replicas) {
            self.replicas
        } else {
            messages.div_ceil(each).clamp(min.max(1), max)
        };
        self.recommended.retain(|(at, _)| now.saturating_sub(*at) <= down_window);
        self.recommended.push((now, recommended));
        // A window for scaling up would be 0, so only the way down is smoothed.
        let smoothed = self.recommended.iter().map(|(_, replicas)| *replicas).max().unwrap_or(recommended);
        let wanted = if recommended > self.replicas { recommended } else { smoothed.min(self.replicas) };
        if wanted > self.replicas {
            wanted.min(self.most(now))
        } else {
            wanted.max(self.fewest(now)).max(min.max(1))
        }
    }

    /// How many replicas there may be, because only so many may be added in a time.
    fn most(&self, now: Duration) -> u64 {
        let before = self.replicas.saturating_sub(self.changed(now, self.policy.up_period, 1));
        (before * 2).max(before + 2)
    }

    /// How many replicas have to stay, because only one may be taken away in a time.
    fn fewest(&self, now: Duration) -> u64 {
        let before = self.replicas + self.changed(now, self.policy.down_period, -1);
        before.saturating_sub(1)
    }

    /// How many replicas were added (`sign` is 1) or taken away (-1) in the time before now.
    fn changed(&self, now: Duration, within: Duration, sign: i64) -> u64 {
        let recent = self.changes.iter().filter(|(at, _)| now.saturating_sub(*at) < within);
        recent.map(|(_, change)| (change * sign).max(0).unsigned_abs()).sum()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn is_tolerated(messages: u64, meant_for: u64) -> bool {
    meant_for > 0 && (messages as f64 / meant_for as f64 - 1.0).abs() <= TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        messages: 20,
        min: 0,
        max: 10,
        cooldown: Duration::from_mins(5),
        down_window: Duration::from_mins(5),
        up_period: Duration::from_secs(15),
        down_period: Duration::from_mins(1),
    };

    /// Looks every 15 seconds, and returns how many replicas there were after each look.
    fn replicas(scaler: &mut Autoscaler, from_s: u64, messages: &[u64]) -> Vec<u64> {
        let times = (0..).map(|nth| Duration::from_secs(from_s + nth * 15));
        times.zip(messages).map(|(now, messages)| scaler.look(now, *messages)).collect()
    }

    #[test]
    fn one_message_starts_the_first_replica_and_no_message_starts_none() {
        let mut scaler = Autoscaler::new(POLICY);
        assert_eq!(replicas(&mut scaler, 0, &[0, 0, 1, 1]), [0, 0, 1, 1]);
    }

    #[test]
    fn replicas_double_at_most_or_grow_by_two_until_there_are_enough() {
        let mut scaler = Autoscaler::new(POLICY);
        assert_eq!(replicas(&mut scaler, 0, &[500, 500, 500, 500, 500]), [1, 3, 6, 10, 10]);
        let mut scaler = Autoscaler::new(POLICY);
        assert_eq!(replicas(&mut scaler, 0, &[70, 70, 70, 70]), [1, 3, 4, 4]);
    }

    #[test]
    fn less_than_a_tenth_more_or_less_changes_nothing() {
        let mut scaler = Autoscaler::new(POLICY);
        assert_eq!(replicas(&mut scaler, 0, &[40, 40, 43, 37, 45]), [1, 2, 2, 2, 3]);
    }

    #[test]
    fn a_replica_goes_only_when_it_was_not_needed_for_the_whole_window_and_one_at_a_time() {
        let mut scaler = Autoscaler::new(Policy { min: 1, ..POLICY });
        assert_eq!(replicas(&mut scaler, 0, &[80, 80, 80]), [3, 4, 4]);
        let looks = vec![0; 40];
        let after = replicas(&mut scaler, 45, &looks);
        // The last need was at 30 s, and the window is 300 s long.
        let first = after.iter().position(|replicas| *replicas < 4).unwrap();
        assert_eq!(45 + 15 * first, 345);
        assert_eq!(after[first..first + 9], [3, 3, 3, 3, 2, 2, 2, 2, 1]);
        assert_eq!(after.last(), Some(&1));
    }

    #[test]
    fn a_need_within_the_window_keeps_the_replicas() {
        let mut scaler = Autoscaler::new(Policy { min: 1, ..POLICY });
        replicas(&mut scaler, 0, &[80, 80, 80]);
        replicas(&mut scaler, 45, &[0; 15]);
        assert_eq!(replicas(&mut scaler, 270, &[80]), [4]);
        assert_eq!(replicas(&mut scaler, 285, &[0; 18]).last(), Some(&4));
    }

    #[test]
    fn the_last_replica_goes_after_the_cooldown_and_all_go_with_it() {
        let mut scaler = Autoscaler::new(POLICY);
        assert_eq!(replicas(&mut scaler, 0, &[40, 40]), [1, 2]);
        let after = replicas(&mut scaler, 30, &[0; 25]);
        let gone = after.iter().position(|replicas| *replicas == 0).unwrap();
        assert_eq!(30 + 15 * gone, 315);
    }

    #[test]
    fn a_faster_world_decides_the_same_in_less_time() {
        let mut scaler = Autoscaler::new(POLICY.faster(10));
        let looks = (0..).map(|nth| Duration::from_millis(nth * 1500));
        let replicas: Vec<u64> =
            looks.zip([500, 500, 500, 500]).map(|(now, messages)| scaler.look(now, messages)).collect();
        assert_eq!(replicas, [1, 3, 6, 10]);
    }
}
