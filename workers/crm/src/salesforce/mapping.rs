//! How a contact stands in a Salesforce org: field names, lengths, and which fields may be filled.
//!
//! A person's entry in the CRM outranks what we overheard, so only empty fields are filled, and an
//! address only as a whole: a street of one place with the city of another is worse than neither.
//! Company has no field here: in Salesforce it is a record of its own (`Account`).

use std::collections::BTreeMap;

use domain::analysis::ContactField;
use providers::crm::salesforce::Record;
use serde_json::{Map, Value};

use crate::policy::Contact;

/// Values by field name, as they are sent.
pub(super) type Fields = BTreeMap<&'static str, String>;

pub(super) const ID: &str = "Id";
const EMAIL: &str = "Email";
const SALUTATION: &str = "Salutation";
const FIRST_NAME: &str = "FirstName";
const LAST_NAME: &str = "LastName";
/// Without these a contact cannot be found again, or not be created.
const REQUIRED: [&str; 3] = [ID, EMAIL, LAST_NAME];

/// What is read and written, with the length of the standard field in characters.
const COLUMNS: [(&str, usize); 14] = [
    (ID, 18),
    (SALUTATION, 40),
    (FIRST_NAME, 40),
    (LAST_NAME, 80),
    (EMAIL, 80),
    ("Phone", 40),
    ("MobilePhone", 40),
    ("Title", 128),
    ("Department", 80),
    ("MailingStreet", 255),
    ("MailingCity", 40),
    ("MailingState", 80),
    ("MailingPostalCode", 20),
    ("MailingCountry", 80),
];

pub(super) fn columns() -> Vec<&'static str> {
    COLUMNS.iter().map(|(name, _)| *name).collect()
}

fn column(field: ContactField) -> Option<&'static str> {
    Some(match field {
        ContactField::Phone => "Phone",
        ContactField::MobilePhone => "MobilePhone",
        ContactField::Title => "Title",
        ContactField::Department => "Department",
        ContactField::Street => "MailingStreet",
        ContactField::City => "MailingCity",
        ContactField::State => "MailingState",
        ContactField::PostalCode => "MailingPostalCode",
        ContactField::Country => "MailingCountry",
        ContactField::Email | ContactField::Company => return None,
    })
}

/// Everything we know of a contact.
pub(super) fn fields(contact: &Contact) -> Fields {
    let fitted = values(contact).filter_map(|(column, value)| Some((column, fitted(column, value)?)));
    fitted.chain([(EMAIL, contact.email.clone())]).collect()
}

/// The values of a contact in whatever length, without the address.
fn values(contact: &Contact) -> impl Iterator<Item = (&'static str, &String)> {
    let name = [
        (SALUTATION, contact.name.salutation.as_ref()),
        (FIRST_NAME, contact.name.first.as_ref()),
        (LAST_NAME, Some(&contact.name.last)),
    ];
    let name = name.into_iter().filter_map(|(column, value)| Some((column, value?)));
    name.chain(contact.learned.iter().filter_map(|(field, value)| Some((column(*field)?, value))))
}

/// The value at the length of its column. Words are cut, and a mark shows where. A number that is too long is left out,
/// because its beginning is another number.
fn fitted(column: &str, value: &str) -> Option<String> {
    let max = length(column);
    if value.chars().count() <= max {
        return Some(value.to_owned());
    }
    let words = !matches!(column, "Phone" | "MobilePhone" | "MailingPostalCode");
    words.then(|| format!("{}…", value.chars().take(max - 1).collect::<String>().trim_end()))
}

fn length(column: &str) -> usize {
    COLUMNS.iter().find(|(name, _)| *name == column).map_or(1, |(_, max)| *max)
}

/// The columns of `contact` whose values were cut, and those that were left out because they cannot be cut.
pub(super) fn shortened(contact: &Contact, known: &Fields) -> Vec<&'static str> {
    let values = values(contact);
    values.filter(|(column, value)| known.get(column) != Some(*value)).map(|(column, _)| column).collect()
}

/// What of `known` goes into an existing record, of which `read` are the columns that were read.
pub(super) fn missing(record: &Record, read: &[&str], known: &Fields) -> Fields {
    let stored = |column: &str| {
        record.get(column).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
    };
    let agrees = |column: &str, value: &str| {
        stored(column).is_none_or(|stored| stored.to_lowercase() == value.to_lowercase())
    };
    let same_last_name = known.get(LAST_NAME).is_some_and(|name| agrees(LAST_NAME, name));
    let same_first_name = known.get(FIRST_NAME).is_none_or(|name| agrees(FIRST_NAME, name));
    let same_address =
        known.iter().filter(|(column, _)| is_address(column)).all(|(column, value)| agrees(column, value));
    known
        .iter()
        .filter(|(column, _)| read.contains(column) && stored(column).is_none())
        .filter(|(column, _)| **column != FIRST_NAME || same_last_name)
        .filter(|(column, _)| **column != SALUTATION || (same_last_name && same_first_name))
        .filter(|(column, _)| !is_address(column) || same_address)
        .map(|(column, value)| (*column, value.clone()))
        .collect()
}

fn is_address(column: &str) -> bool {
    column.starts_with("Mailing")
}

/// What a record held in `fields` before they were filled.
pub(super) fn replaced(record: &Record, fields: &Fields) -> Value {
    let before = |column: &&str| record.get(*column).cloned().unwrap_or(Value::Null);
    fields.keys().map(|column| ((*column).to_owned(), before(column))).collect::<Map<_, _>>().into()
}

/// Takes `refused` out of `columns` and returns what was taken; what a contact cannot be without stays.
pub(super) fn leave_out(columns: &mut Vec<&'static str>, refused: &[String]) -> Vec<&'static str> {
    columns
        .extract_if(.., |column| {
            !REQUIRED.contains(column) && refused.iter().any(|name| name.eq_ignore_ascii_case(column))
        })
        .collect()
}

/// The query for the oldest contact with this value: of two with one address, always the same.
pub(super) fn query(columns: &[&str], wanted: &Wanted<'_>) -> String {
    let (column, value) = match wanted {
        Wanted::Email(email) => (EMAIL, email),
        Wanted::Id(id) => (ID, id),
    };
    let columns = columns.join(", ");
    format!(
        "SELECT {columns} FROM Contact WHERE {column} = '{}' ORDER BY CreatedDate LIMIT 1",
        escaped(value)
    )
}

/// By what a contact is looked for.
pub(super) enum Wanted<'a> {
    /// Salesforce compares addresses without case.
    Email(&'a str),
    Id(&'a str),
}

/// SOQL has no bind parameters: inside quotes, `\` and `'` are escaped, and control characters have no place.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars().filter(|c| !c.is_control()) {
        if matches!(c, '\\' | '\'') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use domain::person_name::PersonName;
    use serde_json::json;

    use super::*;

    fn helen(learned: &[(ContactField, &str)]) -> Fields {
        fields(&Contact {
            email: "helen@x.example.com".into(),
            name: PersonName { salutation: None, first: Some("Helen".into()), last: "Castellanos".into() },
            learned: learned.iter().map(|(field, value)| (*field, (*value).to_owned())).collect(),
        })
    }

    fn record(value: Value) -> Record {
        serde_json::from_value(value).unwrap()
    }

    fn filled(stored: Value, known: &Fields) -> Vec<&'static str> {
        missing(&record(stored), &columns(), known).into_keys().collect()
    }

    #[test]
    fn only_empty_fields_are_filled() {
        let known = helen(&[
            (ContactField::Title, "Vice President of Operations"),
            (ContactField::Phone, "202-555-0147"),
            (ContactField::MobilePhone, "202-555-0162"),
            (ContactField::Department, "Operations"),
        ]);
        let stored: Value =
            serde_json::from_str(include_str!("../../tests/samples/existing_contacts.json")).unwrap();
        assert_eq!(filled(stored[0].clone(), &known), ["Department", "MobilePhone"]);
    }

    #[test]
    fn a_blank_or_null_field_is_empty() {
        let known = helen(&[(ContactField::Title, "CFO"), (ContactField::Phone, "202-555-0147")]);
        let stored = json!({"LastName": "Castellanos", "FirstName": "H", "Email": "h@x.example.com",
                            "Title": " ", "Phone": null});
        assert_eq!(filled(stored, &known), ["Phone", "Title"]);
    }

    #[test]
    fn a_first_name_joins_only_its_own_last_name() {
        let known = helen(&[]);
        let email = "helen@x.example.com";
        assert_eq!(filled(json!({"LastName": "CASTELLANOS", "Email": email}), &known), ["FirstName"]);
        assert_eq!(filled(json!({"LastName": "Other", "Email": email}), &known), [""; 0]);
    }

    #[test]
    fn an_address_is_not_mixed_with_another_one() {
        let known = helen(&[(ContactField::Street, "18 Quayside Road"), (ContactField::City, "Duluth")]);
        let stored = |street: &str| {
            json!({"LastName": "Castellanos", "FirstName": "Helen", "Email": "h@x.example.com",
                   "MailingStreet": street})
        };
        assert_eq!(filled(stored("1 Old Road"), &known), [""; 0]);
        assert_eq!(filled(stored("18 quayside road"), &known), ["MailingCity"]);
        assert_eq!(filled(stored(""), &known), ["MailingCity", "MailingStreet"]);
    }

    #[test]
    fn a_column_that_could_not_be_read_is_not_filled() {
        let known = helen(&[(ContactField::Title, "CFO")]);
        let mut columns = columns();
        assert_eq!(leave_out(&mut columns, &["title".into(), "LastName".into()]), ["Title"]);
        let stored = record(json!({"LastName": "Castellanos", "FirstName": "H", "Email": "h@x.example.com"}));
        assert!(missing(&stored, &columns, &known).is_empty());
    }

    #[test]
    fn words_are_cut_to_the_field_and_long_numbers_left_out() {
        let known = helen(&[
            (ContactField::Title, &"ä".repeat(200)),
            (ContactField::Phone, &"1".repeat(41)),
            (ContactField::Company, "Halvorsen Freight"),
        ]);
        assert_eq!(known["Title"], format!("{}…", "ä".repeat(127)));
        assert_eq!(known.keys().copied().collect::<Vec<_>>(), ["Email", "FirstName", "LastName", "Title"]);
    }

    #[test]
    fn no_name_is_longer_than_its_field_and_a_cut_one_shows_it() {
        let name = PersonName {
            salutation: Some("Prof. ".repeat(10)),
            first: Some("प्रि".repeat(20)),
            last: "van der Berg ".repeat(20),
        };
        let contact = Contact { email: "a@x.example.com".into(), name, learned: BTreeMap::new() };
        let known = fields(&contact);
        for (column, max) in [("Salutation", 40), ("FirstName", 40), ("LastName", 80)] {
            let length = known[column].chars().count();
            assert!(length <= max && length > max - 3 && known[column].ends_with('…'), "{column}");
        }
        assert_eq!(shortened(&contact, &known), ["Salutation", "FirstName", "LastName"]);
    }

    #[test]
    fn a_salutation_goes_to_its_own_field_and_joins_only_its_own_name() {
        let name = PersonName::read("Dr. Anil Kapoor").unwrap();
        let known = fields(&Contact { email: "a@x.example.com".into(), name, learned: BTreeMap::new() });
        assert_eq!((&*known["Salutation"], &*known["FirstName"]), ("Dr.", "Anil"));
        let stored = |first: &str, last: &str| json!({"LastName": last, "FirstName": first, "Email": "a@x.example.com"});
        assert_eq!(filled(stored("anil", "Kapoor"), &known), ["Salutation"]);
        assert_eq!(filled(stored("", "Kapoor"), &known), ["FirstName", "Salutation"]);
        assert_eq!(filled(stored("Sunil", "Kapoor"), &known), [""; 0]);
        assert_eq!(filled(stored("Anil", "Other"), &known), [""; 0]);
    }

    #[test]
    fn a_quote_cannot_leave_its_place_in_a_query() {
        let query = query(&["Id"], &Wanted::Email("o'neil\\@x.com\n"));
        assert_eq!(
            query,
            "SELECT Id FROM Contact WHERE Email = 'o\\'neil\\\\@x.com' ORDER BY CreatedDate LIMIT 1"
        );
    }
}
