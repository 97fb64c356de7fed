"""Slack: the client `slack_sdk`."""

from slack_sdk import WebClient, WebhookClient
from slack_sdk.errors import SlackApiError

from support import equal, raises

CHANNEL = "C0SDKTESTS"
METADATA = {"event_type": "debrief_post", "event_payload": {"effect": "sdk-1"}}


def client(address, token="xoxb-simulated"):
    return WebClient(token=token, base_url=f"{address}/api/")


def check_a_bot_is_known_by_its_token(address):
    identity = client(address).auth_test()
    assert identity["ok"] and identity["bot_id"] and identity["team_id"], identity.data
    refused = raises(SlackApiError, lambda: client(address, token="wrong").auth_test())
    equal(refused.response["error"], "invalid_auth")


def check_a_message_is_posted_continued_changed_and_found(address):
    slack = client(address)
    posted = slack.chat_postMessage(channel=CHANNEL, text="First", metadata=METADATA)
    equal(posted["channel"], CHANNEL)
    reply = slack.chat_postMessage(channel=CHANNEL, text="More", thread_ts=posted["ts"])
    changed = slack.chat_update(channel=CHANNEL, ts=posted["ts"], text="Changed", metadata=METADATA)
    equal(changed["text"], "Changed")
    page = slack.conversations_history(channel=CHANNEL, include_all_metadata=True, oldest="0", limit=5)
    equal([message["text"] for message in page["messages"]], ["Changed"])
    equal(page["messages"][0]["metadata"], METADATA)
    thread = slack.conversations_replies(channel=CHANNEL, ts=posted["ts"])
    equal([message["ts"] for message in thread["messages"]], [posted["ts"], reply["ts"]])
    unknown = raises(SlackApiError, lambda: slack.chat_update(channel=CHANNEL, ts="1.000000", text="x"))
    equal(unknown.response["error"], "message_not_found")


def check_a_text_is_kept_escaped(address):
    slack = client(address)
    for sent, kept in [
        ("AT&T <b> 1 > 0", "AT&amp;T &lt;b&gt; 1 &gt; 0"),
        ("AT&amp;T &lt;b&gt;", "AT&amp;T &lt;b&gt;"),
        ("<https://example.com/?a=1&b=2|here> <@U012AB3CD>", "<https://example.com/?a=1&b=2|here> <@U012AB3CD>"),
    ]:
        equal(slack.chat_postMessage(channel="C0ESCAPED0", text=sent)["message"]["text"], kept)
        equal(slack.conversations_history(channel="C0ESCAPED0", limit=1)["messages"][0]["text"], kept)


def check_history_is_read_page_by_page(address):
    slack = client(address)
    for number in range(5):
        slack.chat_postMessage(channel="C0PAGES000", text=f"Message {number}")
    pages = slack.conversations_history(channel="C0PAGES000", limit=2)
    texts = [message["text"] for page in pages for message in page["messages"]]
    equal(texts, [f"Message {number}" for number in reversed(range(5))])


def check_a_channel_is_described(address):
    slack = client(address)
    posted = slack.chat_postMessage(channel="#calls", text="Hello")
    channel = slack.conversations_info(channel=posted["channel"], include_num_members=True)["channel"]
    equal((channel["id"], channel["name"], channel["is_archived"]), (posted["channel"], "calls", False))
    assert channel["num_members"] >= 1
    listed = slack.conversations_list(types="public_channel", limit=100)["channels"]
    assert channel["id"] in [one["id"] for one in listed], listed
    refused = raises(SlackApiError, lambda: slack.conversations_info(channel="calls"))
    equal(refused.response["error"], "channel_not_found")


def check_an_incoming_webhook_takes_a_message(address):
    webhook = WebhookClient(f"{address}/services/T0SIMULATED/B0SIMULATED/secret")
    answer = webhook.send(text="Hello")
    equal((answer.status_code, answer.body), (200, "ok"))
    equal(webhook.send(text=" ").status_code, 400)
