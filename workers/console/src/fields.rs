//! What a form or the query of an address says.

use url::form_urlencoded;

/// The fields in the order in which they came. A field can come several times, as the boxes of a list do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(crate) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The first value of the field without the blanks around it; empty where the field did not come.
    pub(crate) fn text(&self, name: &str) -> &str {
        let value = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim());
        value.unwrap_or_default()
    }

    /// The first value, unless it is empty.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// Every value of the field, without the blanks around each.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.trim())
    }

    /// The fields as a query, with `name` set to `value`. An empty value leaves the field out.
    pub(crate) fn query_with(&self, name: &str, value: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let others = self.0.iter().filter(|(key, value)| key != name && !value.is_empty());
        query.extend_pairs(others);
        if !value.is_empty() {
            query.append_pair(name, value);
        }
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_can_come_several_times() {
        let fields = Fields::parse(b"scope=read&name=+CI+&scope=operate&empty=");
        assert_eq!(fields.all("scope").collect::<Vec<_>>(), ["read", "operate"]);
        assert_eq!((fields.text("name"), fields.given("empty"), fields.text("none")), ("CI", None, ""));
    }

    #[test]
    fn one_field_of_a_query_is_changed_and_the_others_stay() {
        let fields = Fields::parse(b"status=failed&agent=Dana+M&page=2&q=");
        assert_eq!(fields.query_with("page", "3"), "status=failed&agent=Dana+M&page=3");
        assert_eq!(fields.query_with("status", ""), "agent=Dana+M&page=2");
    }
}
