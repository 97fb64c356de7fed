//! Reads the directory of agents, and the filters of telephone calls.
//!
//! The file of agents is JSON (an object whose names are telephone numbers) or CSV. A mistake in it is an error that
//! names the file and the line, because an agent who is left out silently would be missed only weeks later.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use domain::agents::{Agent, Agents};
use domain::call::Direction;
use domain::filters::Filters;
use domain::phone::Region;
use serde_json::{Map, Value};

use super::{ConfigError, Values};

const FILE: &str = "AGENTS_FILE";
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;
const COLUMNS: [&str; 6] = ["phone", "name", "slack_handle", "email", "department", "team"];

/// A mistake in the file, and its line.
#[derive(Debug, PartialEq, Eq)]
struct Mistake {
    line: usize,
    problem: String,
}

/// Reads `AGENTS_FILE`.
pub(super) fn agents(values: &Values, region: Region) -> Result<Agents, ConfigError> {
    let Some(path) = values.text(FILE) else { return Ok(Agents::default()) };
    let failed = |problem: String| ConfigError::new(FILE, problem);
    let bytes = read(Path::new(&path))
        .map_err(|error| ConfigError::not(FILE, &path, &format!("a file that can be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| failed(format!("`{path}` is not a text in UTF-8")))?;
    parse(&text, region)
        .map_err(|Mistake { line, problem }| failed(format!("`{path}`, line {line}: {problem}")))
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if std::fs::metadata(path)?.len() > MAX_FILE_BYTES {
        return Err(std::io::Error::other("it is longer than 16 MB"));
    }
    std::fs::read(path)
}

/// Reads `DEPARTMENTS`, `MIN_DURATION` and `DIRECTIONS`.
pub(super) fn filters(values: &Values) -> Result<Filters, ConfigError> {
    const MIN: &str = "MIN_DURATION";
    const DIRECTIONS: &str = "DIRECTIONS";
    let mut departments = values.list("DEPARTMENTS");
    if departments.iter().any(|name| name.eq_ignore_ascii_case("all")) {
        departments.clear();
    }
    let min_duration = Some(values.duration(MIN, Duration::ZERO)?).filter(|least| !least.is_zero());
    let direction = |word: String| match word.to_ascii_lowercase().as_str() {
        "incoming" | "inbound" => Ok(Direction::Incoming),
        "outgoing" | "outbound" => Ok(Direction::Outgoing),
        _ => Err(ConfigError::not(DIRECTIONS, &word, "incoming or outgoing")),
    };
    let directions = values.list(DIRECTIONS).into_iter().map(direction).collect::<Result<_, _>>()?;
    Ok(Filters { departments, min_duration, directions })
}

fn parse(text: &str, region: Region) -> Result<Agents, Mistake> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let rows = if text.trim_start().starts_with(['{', '[']) { of_json(text)? } else { of_csv(text)? };
    let lines: Vec<usize> = rows.iter().map(|(line, _)| *line).collect();
    let agents = rows.into_iter().map(|(_, agent)| agent).collect();
    Agents::new(agents, region).map_err(|doubled| {
        let first = lines.get(doubled.first).copied().unwrap_or(1);
        let problem = format!("the same {} stands in line {first} already", doubled.what);
        Mistake { line: lines.get(doubled.second).copied().unwrap_or(1), problem }
    })
}

/// Reads an object whose names are telephone numbers. A name that begins with `_` is a comment.
fn of_json(text: &str) -> Result<Vec<(usize, Agent)>, Mistake> {
    let object: Map<String, Value> = serde_json::from_str(text).map_err(|error| Mistake {
        line: error.line().max(1),
        problem: format!("it is not a JSON object: {error}"),
    })?;
    let mut agents = Vec::new();
    for (phone, value) in object {
        if phone.starts_with('_') {
            continue;
        }
        let line = line_of(text, &phone);
        let Value::Object(fields) = value else {
            return Err(Mistake { line, problem: format!("the entry of `{phone}` is not an object") });
        };
        let mut cells = HashMap::from([("phone", phone)]);
        for (name, value) in fields {
            let Some(column) = COLUMNS.iter().find(|column| **column == name) else {
                if name.starts_with('_') {
                    continue;
                }
                return Err(Mistake { line, problem: unknown(&name) });
            };
            match value {
                Value::Null => {}
                Value::String(text) => drop(cells.insert(column, text)),
                _ => return Err(Mistake { line, problem: format!("`{name}` is not a text") }),
            }
        }
        agents.push((line, agent(cells, line)?));
    }
    // The order of the file, so that errors name its first lines first.
    agents.sort_by_key(|(line, _)| *line);
    Ok(agents)
}

/// The line in which the name of an entry stands.
fn line_of(text: &str, name: &str) -> usize {
    let quoted = serde_json::to_string(name).unwrap_or_default();
    text.find(&quoted).map_or(1, |at| text[..at].matches('\n').count() + 1)
}

/// Reads a table whose first line names the columns.
fn of_csv(text: &str) -> Result<Vec<(usize, Agent)>, Mistake> {
    let mut rows =
        table(text)?.into_iter().filter(|(_, cells)| cells.iter().any(|cell| !cell.trim().is_empty()));
    let Some((line, head)) = rows.next() else {
        return Err(Mistake { line: 1, problem: "it has no line with the names of the columns".into() });
    };
    let column = |name: &String| {
        let name = name.trim().to_ascii_lowercase();
        COLUMNS.into_iter().find(|column| *column == name).ok_or(Mistake { line, problem: unknown(&name) })
    };
    let columns = head.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    rows.map(|(line, cells)| {
        if cells.len() > columns.len() {
            let problem = format!("it has {} columns, and the first line has {}", cells.len(), columns.len());
            return Err(Mistake { line, problem });
        }
        Ok((line, agent(columns.iter().copied().zip(cells).collect(), line)?))
    })
    .collect()
}

fn unknown(name: &str) -> String {
    format!("`{name}` is none of {}", COLUMNS.join(", "))
}

fn agent(mut cells: HashMap<&str, String>, line: usize) -> Result<Agent, Mistake> {
    let mut take = |column: &str| {
        let cell = cells.remove(column)?;
        Some(cell.trim().to_owned()).filter(|cell| !cell.is_empty())
    };
    let handle = take("slack_handle").map(|handle| match handle.chars().next() {
        Some('@' | '<') => handle,
        _ => format!("@{handle}"),
    });
    let agent = Agent {
        phone: take("phone"),
        name: take("name"),
        slack_handle: handle,
        email: take("email"),
        department: take("department"),
        team: take("team"),
    };
    if let Some(phone) = &agent.phone
        && !phone.contains(char::is_numeric)
    {
        return Err(Mistake { line, problem: format!("`{phone}` is no telephone number") });
    }
    if agent.phone.is_none() && agent.email.is_none() && agent.name.is_none() {
        return Err(Mistake { line, problem: "it has neither a phone nor an email nor a name".into() });
    }
    Ok(agent)
}

/// Splits a CSV text into rows, each with its line. A cell in quotes may hold commas, line breaks and doubled quotes
/// (RFC 4180).
fn table(text: &str) -> Result<Vec<(usize, Vec<String>)>, Mistake> {
    let (mut rows, mut cells, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut line, mut began, mut quoted) = (1, 1, None);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        line += usize::from(letter == '\n');
        match letter {
            '"' if quoted.is_some() && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' if quoted.is_some() => quoted = None,
            _ if quoted.is_some() => cell.push(letter),
            '"' if cell.trim().is_empty() => {
                cell.clear();
                quoted = Some(line);
            }
            ',' => cells.push(std::mem::take(&mut cell)),
            '\r' if letters.peek() == Some(&'\n') => {}
            '\n' => {
                cells.push(std::mem::take(&mut cell));
                rows.push((began, std::mem::take(&mut cells)));
                began = line;
            }
            _ => cell.push(letter),
        }
    }
    if let Some(line) = quoted {
        return Err(Mistake { line, problem: "a quote is opened and never closed".into() });
    }
    cells.push(cell);
    rows.push((began, cells));
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPPING: &str = include_str!("../../tests/samples/agent_mapping.json");

    fn read(text: &str) -> Result<Agents, Mistake> {
        parse(text, "US".parse().unwrap())
    }

    #[test]
    fn the_mapping_of_the_first_version_is_read_with_its_comment() {
        let agents = read(MAPPING).unwrap();
        assert_eq!(agents.len(), 3);
        let imre = agents.by_phone("+1 202 555 0112").unwrap();
        assert_eq!(imre.name.as_deref(), Some("Imre Kovács"));
        assert_eq!(imre.slack_handle.as_deref(), Some("@imre.kovacs"));
        assert_eq!(agents.by_phone("456"), None);
        assert_eq!(agents.by_phone("00000000456").unwrap().department.as_deref(), Some("Sales"));
    }

    #[test]
    fn a_table_may_have_its_columns_in_any_order_quotes_and_empty_lines() {
        let table = "\u{feff}Name,phone,department\r\n\"Ortiz, \"\"Dana\"\"\",+12025550111,\"Customer\nSuccess\"\r\n\r\nImre,\r\n";
        let agents = read(table).unwrap();
        assert_eq!(agents.len(), 2);
        let dana = agents.by_phone("2025550111").unwrap();
        assert_eq!(dana.name.as_deref(), Some("Ortiz, \"Dana\""));
        assert_eq!(dana.department.as_deref(), Some("Customer\nSuccess"));
        assert!(agents.by_name("imre").is_some());
    }

    #[test]
    fn a_mistake_names_its_line() {
        for (text, line, says) in [
            ("phone,nmae\n", 1, "`nmae` is none of phone, name"),
            (
                "phone,name\n+12025550111,Dana\n2025550111,Imre\n",
                3,
                "the same phone stands in line 2 already",
            ),
            ("phone,name\n\"+1202,Dana\n", 2, "never closed"),
            ("phone,name\n+12025550111,Dana,x\n", 2, "it has 3 columns"),
            ("phone,team\n,B\n", 2, "neither a phone nor an email nor a name"),
            ("phone\nDana\n", 2, "`Dana` is no telephone number"),
            ("\n", 1, "no line with the names"),
            ("{\n\"+12025550111\": {},\n\"+12025550112\": \"Dana\"\n}", 3, "is not an object"),
            ("{\n\"+12025550111\": {\"name\": 1}\n}", 2, "`name` is not a text"),
            ("{\n\"+12025550111\": {\"nmae\": \"x\"}\n}", 2, "`nmae` is none of"),
            ("{\n\n]", 3, "it is not a JSON object"),
            ("[]", 1, "it is not a JSON object"),
        ] {
            let mistake = read(text).unwrap_err();
            assert_eq!(mistake.line, line, "{text}");
            assert!(mistake.problem.contains(says), "{text}: {}", mistake.problem);
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let values = Values::of([(FILE, "/nowhere/agents.csv")]);
        let error = agents(&values, Region::DEFAULT).unwrap_err();
        assert_eq!(error.name, FILE);
        assert!(error.problem.contains("`/nowhere/agents.csv`"), "{error}");
    }

    #[test]
    fn the_filters_are_read_and_a_wrong_word_is_named() {
        let values = Values::of([
            ("DEPARTMENTS", "Sales, CUSTOMER SUPPORT"),
            ("MIN_DURATION", "10s"),
            ("DIRECTIONS", "Inbound"),
        ]);
        let read = filters(&values).unwrap();
        assert_eq!(read.departments, ["Sales", "CUSTOMER SUPPORT"]);
        assert_eq!(read.min_duration, Some(Duration::from_secs(10)));
        assert_eq!(read.directions, [Direction::Incoming]);
        assert_eq!(filters(&Values::of([("DEPARTMENTS", "Sales, all")])).unwrap(), Filters::default());
        for (name, value) in [("DIRECTIONS", "sideways"), ("MIN_DURATION", "long")] {
            assert_eq!(filters(&Values::of([(name, value)])).unwrap_err().name, name);
        }
    }
}
