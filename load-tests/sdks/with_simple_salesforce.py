"""Salesforce: the client `simple-salesforce`."""

import re

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce, format_soql
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceResourceNotFound,
)

from support import equal, raises

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000")


class ToLoopback(HTTPAdapter):
    """Sends every request to the simulator. The client knows only addresses with `https`."""

    def __init__(self, address):
        super().__init__()
        self.address = address

    def send(self, request, **arguments):
        request.url = self.address + "/" + request.url.split("/", 3)[3]
        return super().send(request, **arguments)


def session(address):
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", ToLoopback(address))
    return session


def org(address):
    """Signs in with a client's id and secret, which the client sends in an `Authorization: Basic` header."""
    return Salesforce(
        domain="simulated.my", consumer_key="key", consumer_secret="secret", version="66.0", session=session(address)
    )


def check_clients_sign_in(address):
    org(address)
    Salesforce(
        username="u", password="p", consumer_key="key", consumer_secret="secret", domain="login", session=session(address)
    )
    raises(SalesforceAuthenticationFailed, lambda: Salesforce(
        domain="simulated.my", consumer_key="key", consumer_secret="", session=session(address)))
    stranger = Salesforce(instance="simulated.my", session_id="wrong", session=session(address))
    raises(SalesforceExpiredSession, lambda: stranger.query("SELECT Id FROM Contact"))


def check_a_contact_is_created_read_changed_and_deleted(address):
    contacts = org(address).Contact
    created = contacts.create({"LastName": "O'Neil", "Salutation": "Dr.", "Email": "o'neil@example.com"})
    assert created["success"] and created["errors"] == [], created
    record = contacts.get(created["id"])
    equal((record["LastName"], record["Salutation"], record["Phone"]), ("O'Neil", "Dr.", None))
    assert TIME.fullmatch(record["CreatedDate"]) and TIME.fullmatch(record["LastModifiedDate"]), record
    equal(contacts.update(created["id"], {"Phone": "1"}), 204)
    equal(contacts.get(created["id"])["Phone"], "1")
    equal(contacts.delete(created["id"]), 204)
    raises(SalesforceResourceNotFound, lambda: contacts.get(created["id"]))
    gone = raises(SalesforceResourceNotFound, lambda: contacts.update(created["id"], {"Phone": "2"}))
    equal(gone.content[0]["errorCode"], "ENTITY_IS_DELETED")


def check_a_contact_is_found_by_an_external_id(address):
    contacts = org(address).Contact
    equal(contacts.upsert("Debrief_Id__c/d-1", {"LastName": "First"}), 201)
    equal(contacts.upsert("Debrief_Id__c/d-1", {"LastName": "Second"}), 204)
    equal(contacts.get_by_custom_id("Debrief_Id__c", "d-1")["LastName"], "Second")
    raises(SalesforceResourceNotFound, lambda: contacts.get_by_custom_id("Debrief_Id__c", "nobody"))
    raises(SalesforceResourceNotFound, lambda: contacts.get_by_custom_id("Nothing__c", "d-1"))
    for _ in range(2):
        contacts.create({"LastName": "Twin", "Email": "twin@example.com"})
    raises(SalesforceMoreThanOneRecord, lambda: contacts.get_by_custom_id("Email", "twin@example.com"))


def check_contacts_are_queried_and_counted(address):
    salesforce = org(address)
    for name in ("Like_one", "Like%two", "likeXthree"):
        salesforce.Contact.create({"LastName": name, "Email": "like@example.com"})
    soql = format_soql("SELECT Id, LastName FROM Contact WHERE Email = {} ORDER BY CreatedDate", "LIKE@example.com")
    found = salesforce.query_all(soql)
    equal([record["LastName"] for record in found["records"]], ["Like_one", "Like%two", "likeXthree"])
    equal((found["totalSize"], found["done"]), (3, True))
    equal(found["records"][0]["attributes"]["type"], "Contact")
    for pattern, count in (("like%", 3), ("Like_%o%", 2), ("%e", 2), ("", 0)):
        soql = format_soql("SELECT COUNT() FROM Contact WHERE LastName LIKE {} AND Email = 'like@example.com'", pattern)
        counted = salesforce.query(soql)
        equal((counted["totalSize"], counted["records"]), (count, []))
    literal = format_soql("SELECT LastName FROM Contact WHERE LastName LIKE '{:like}%'", "Like%")
    equal([record["LastName"] for record in salesforce.query(literal)["records"]], ["Like%two"])
    counted = salesforce.query("SELECT COUNT(Id) FROM Contact WHERE Email = 'like@example.com'")
    equal((counted["totalSize"], counted["records"][0]["expr0"]), (1, 3))
    odd = format_soql("SELECT Id FROM Contact WHERE Email = {}", "a'b\\c\"d\n\t\b\f@example.com")
    equal(salesforce.query(odd)["totalSize"], 0)
    wrong = raises(SalesforceMalformedRequest, lambda: salesforce.query("SELECT Nothing FROM Contact"))
    equal(wrong.content[0]["errorCode"], "INVALID_FIELD")


def check_a_record_that_is_wrong_is_refused_as_a_whole(address):
    contacts = org(address).Contact
    for record, code, fields in (
        ({"Email": "a@example.com"}, "REQUIRED_FIELD_MISSING", ["LastName"]),
        ({"LastName": "x" * 81}, "STRING_TOO_LONG", ["LastName"]),
        ({"LastName": "x", "FirstName": "y" * 41}, "STRING_TOO_LONG", ["FirstName"]),
        ({"LastName": "x", "Email": "mailto:"}, "INVALID_EMAIL_ADDRESS", ["Email"]),
        ({"LastName": "x", "Nothing__c": "y"}, "INVALID_FIELD", ["Nothing__c"]),
    ):
        refused = raises(SalesforceMalformedRequest, lambda: contacts.create(record))
        equal((refused.content[0]["errorCode"], refused.content[0]["fields"]), (code, fields))


def check_the_type_of_contacts_is_described(address):
    salesforce = org(address)
    equal([one["name"] for one in salesforce.describe()["sobjects"]], ["Contact"])
    equal(salesforce.Contact.metadata()["objectDescribe"]["name"], "Contact")
    described = {field["name"]: field for field in salesforce.Contact.describe()["fields"]}
    equal((described["LastName"]["length"], described["LastName"]["nillable"]), (80, False))
    equal((described["FirstName"]["length"], described["Email"]["type"]), (40, "email"))
    assert described["Debrief_Id__c"]["externalId"], described["Debrief_Id__c"]
