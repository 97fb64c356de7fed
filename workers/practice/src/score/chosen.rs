//! Reads by which criteria the calls of an installation are judged.

use platform::config::{ConfigError, Values};

use super::criteria::{Criteria, all, named};

const SETTING: &str = "SCORECARDS";

/// The criteria that `SCORECARDS` names, in its order. There are none where the setting is absent.
pub fn chosen(values: &Values) -> Result<Vec<Criteria>, ConfigError> {
    let mut chosen: Vec<Criteria> = Vec::new();
    for name in values.list(SETTING) {
        let criteria = if name.to_ascii_lowercase().ends_with(".json") {
            from_file(&name)?
        } else {
            let known = named(&name.to_ascii_lowercase()).cloned();
            known.ok_or_else(|| ConfigError::not(SETTING, &name, &expected()))?
        };
        if chosen.iter().any(|one| one.name == criteria.name) {
            let problem = format!("two of the criteria are called `{}`", criteria.name);
            return Err(ConfigError::new(SETTING, problem));
        }
        chosen.push(criteria);
    }
    Ok(chosen)
}

fn from_file(path: &str) -> Result<Criteria, ConfigError> {
    let refused = |problem: String| ConfigError::new(SETTING, format!("`{path}` {problem}"));
    let text = std::fs::read_to_string(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
    Criteria::read(&text).map_err(|problem| refused(format!("is no file of criteria: {problem}")))
}

fn expected() -> String {
    let names: Vec<&str> = all().iter().map(|criteria| criteria.name.as_str()).collect();
    format!("one of {}, or the path of a JSON file", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(setting: &str) -> Result<Vec<String>, ConfigError> {
        let chosen = chosen(&Values::of([(SETTING, setting)]))?;
        Ok(chosen.into_iter().map(|criteria| criteria.name).collect())
    }

    #[test]
    fn nothing_is_judged_where_nobody_asks_for_it() {
        assert_eq!(chosen(&Values::default()).unwrap().len(), 0);
        assert_eq!(names("").unwrap(), [""; 0]);
    }

    #[test]
    fn criteria_are_named_or_come_from_a_file_of_ones_own() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let own = r#"{"name": "own", "version": 3, "title": "Own", "criteria": [
            {"name": "asks", "title": "Asks", "weight": 100,
             "signals": [{"kind": "open_questions", "points": 50, "most": 100, "says": "open questions"}]}]}"#;
        let path = write("own.json", own);
        assert_eq!(names(&format!("spin, {path},Sales")).unwrap(), ["spin", "own", "sales"]);
        for (wrong, why) in [
            ("meddic".to_owned(), "meddicc"),
            ("sales,sales".to_owned(), "two of"),
            ("nowhere.json".to_owned(), "cannot be read"),
            (write("light.json", &own.replace("\"weight\": 100", "\"weight\": 40")), "make 100"),
            (write("nameless.json", &own.replace("\"own\"", "\"\"")), "name"),
            (write("new.json", &own.replace("open_questions", "telepathy")), "no file of criteria"),
        ] {
            let error = names(&wrong).unwrap_err();
            assert_eq!(error.name, SETTING);
            assert!(error.problem.contains(why), "{wrong}: {error}");
        }
    }
}
