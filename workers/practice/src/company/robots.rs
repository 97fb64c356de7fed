//! Reads `robots.txt` (RFC 9309), in which a site says what programs may fetch.

/// The name under which we ask.
const NAME: &str = "debrief";

/// What a site allows us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Robots {
    /// Paths with whether they are allowed.
    rules: Vec<(String, bool)>,
}

impl Robots {
    /// Reads the rules that are for us, or else the rules for everybody.
    pub(super) fn of(text: &str) -> Self {
        let (mut own, mut general) = (Vec::new(), Vec::new());
        let mut has_own = false;
        let (mut for_us, mut for_all, mut in_names) = (false, false, false);
        for line in text.lines().take(5_000) {
            let line = line.split('#').next().unwrap_or_default();
            let Some((field, value)) = line.split_once(':') else { continue };
            let (field, value) = (field.trim().to_ascii_lowercase(), value.trim());
            match field.as_str() {
                "user-agent" => {
                    if !in_names {
                        (for_us, for_all) = (false, false);
                    }
                    in_names = true;
                    for_all = for_all || value == "*";
                    for_us = for_us || value.to_ascii_lowercase().starts_with(NAME);
                    has_own = has_own || for_us;
                }
                "allow" | "disallow" => {
                    in_names = false;
                    // An empty `Disallow` forbids nothing.
                    if value.is_empty() {
                        continue;
                    }
                    let rule = (value.to_owned(), field == "allow");
                    if for_us {
                        own.push(rule.clone());
                    }
                    if for_all {
                        general.push(rule);
                    }
                }
                _ => in_names = false,
            }
        }
        Self { rules: if has_own { own } else { general } }
    }

    /// Whether we may fetch this path. The longest rule that fits decides, and of two equally long ones the one that
    /// allows.
    pub(super) fn allows(&self, path: &str) -> bool {
        let fitting = self.rules.iter().filter(|(rule, _)| fits(rule, path));
        fitting
            .max_by_key(|(rule, is_allowed)| (rule.len(), *is_allowed))
            .is_none_or(|(_, is_allowed)| *is_allowed)
    }
}

/// Whether a rule with `*` and `$` fits the path.
fn fits(rule: &str, path: &str) -> bool {
    let (rule, to_the_end) = rule.strip_suffix('$').map_or((rule, false), |rule| (rule, true));
    let mut parts = rule.split('*');
    let Some(mut rest) = path.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut is_first = true;
    let mut last = "";
    for part in parts {
        is_first = false;
        last = part;
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    !to_the_end || rest.is_empty() || (!is_first && (last.is_empty() || path.ends_with(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_rule_decides_and_our_own_rules_come_first() {
        let all =
            Robots::of("User-agent: *\nDisallow: /private\nAllow: /private/press # news\nDisallow: /*.pdf$");
        assert!(all.allows("/") && all.allows("/private/press/1") && all.allows("/a.pdf.html"));
        assert!(!all.allows("/private") && !all.allows("/private/x") && !all.allows("/files/a.pdf"));
        let ours =
            Robots::of("User-agent: other\nUser-agent: Debrief/1\nDisallow: /\n\nUser-agent: *\nDisallow:");
        assert!(!ours.allows("/about"));
        assert!(Robots::of("User-agent: *\nDisallow:").allows("/about"));
        assert!(Robots::of("nonsense\n:::\nDisallow: /").allows("/"));
    }
}
