//! `debrief users`: every command, and every wrong input.

use std::collections::HashMap;

use serde_json::Value;

use crate::processes::command;

/// An installation of which there is only the data folder.
struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    async fn users(&self, args: &[&str]) -> (Option<i32>, String) {
        self.run(&[&["users"], args].concat()).await
    }

    async fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let folder = self.dir.path().to_str().unwrap().to_owned();
        command(args, &HashMap::from([("DEBRIEF_DATA_DIR".to_owned(), folder)])).await
    }

    async fn said(&self, args: &[&str]) -> String {
        let (code, said) = self.users(args).await;
        assert_eq!(code, Some(0), "{args:?}: {said}");
        said
    }

    async fn listed(&self) -> Value {
        serde_json::from_str(&self.said(&["list", "--json"]).await).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_listed_shut_out_let_in_and_gets_a_new_password() {
    let folder = Folder::new();
    let made = folder.said(&["create", "Ada@X.com", "--role", "administrator"]).await;
    let password = made.lines().next().unwrap();
    assert!(password.len() >= 16 && !password.contains(' '), "the password stands alone: {made}");
    assert!(made.contains("`ada@x.com` is administrator of the workspace `default`"), "{made}");
    let name = "Dana Ortiz";
    folder.said(&["create", "dana", "--role", "agent", "--agent", name]).await;
    let listed = folder.listed().await;
    assert_eq!((&listed["total"], &listed["items"][1]["agent"]), (&2.into(), &name.into()), "{listed}");
    assert!(!listed.to_string().contains(password));
    assert!(folder.said(&["disable", "DANA"]).await.contains("`dana` is disabled"));
    assert!(folder.listed().await["items"][1]["disabled_at"].is_string());
    let reset = folder.said(&["reset", "dana"]).await;
    assert!(reset.contains("is disabled: `debrief users enable dana` lets her in"), "{reset}");
    assert!(folder.said(&["enable", "dana"]).await.contains("`dana` is enabled"));
    let again = folder.said(&["reset", "dana"]).await;
    assert!(again.contains("has a new password") && !again.contains("is disabled"), "{again}");
    assert_ne!(reset.lines().next(), again.lines().next());
    assert!(folder.said(&["list"]).await.contains("2 in the workspace `default`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_in_one_line_that_names_it() {
    let folder = Folder::new();
    let (code, said) = folder.users(&["list"]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("there is no store"), "{said}");
    folder.said(&["create", "ada@x.com", "--role", "administrator"]).await;
    let long = "n".repeat(300);
    for (args, code, words) in [
        // A wrong command line.
        (&["create", "ada2"][..], 2, "--role"),
        (&["create", "ada2", "--role", "boss"], 2, "the roles are administrator, manager, agent, viewer"),
        (&["create", "a b", "--role", "viewer"], 2, "an e-mail address, or letters, digits and - _ ."),
        (&["create", "", "--role", "viewer"], 2, "an e-mail address, or letters, digits and - _ ."),
        (&["create", "ada@", "--role", "viewer"], 2, "an e-mail address, or letters, digits and - _ ."),
        (&["create", &long, "--role", "viewer"], 2, "an e-mail address, or letters, digits and - _ ."),
        (&["create", "dana", "--role", "agent"], 2, "--agent"),
        (&["create", "dana", "--role", "agent", "--agent", " "], 2, "names nobody"),
        (&["create", "dana", "--role", "viewer", "--agent", "Dana"], 2, "--agent"),
        (&["disable", "a b"], 2, "an e-mail address, or letters, digits and - _ ."),
        (&["reset"], 2, "<LOGIN>"),
        // A command that cannot be carried out.
        (&["create", "ADA@x.com", "--role", "viewer"], 1, "the name `ada@x.com` is taken"),
        (&["disable", "nobody"], 1, "the workspace `default` has no account `nobody`"),
        (&["enable", "nobody"], 1, "the workspace `default` has no account `nobody`"),
        (&["reset", "nobody"], 1, "the workspace `default` has no account `nobody`"),
        (&["enable", "ada@x.com"], 1, "`ada@x.com` is enabled already"),
        (&["disable", "ada@x.com"], 1, "`ada@x.com` is the last administrator of the workspace `default`"),
        (&["list", "--workspace", "nowhere"], 2, "there is no workspace `nowhere`"),
        (
            &["create", "eve", "--role", "viewer", "--workspace", "nowhere"],
            2,
            "there is no workspace `nowhere`",
        ),
    ] {
        let (found, said) = folder.users(args).await;
        assert_eq!(found, Some(code), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{args:?}: {said}");
        assert!(said.starts_with("debrief: "), "{args:?}: {said}");
    }
    assert_eq!(folder.listed().await["total"], 1, "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_another_workspace_is_none_here() {
    let folder = Folder::new();
    folder.said(&["create", "ada", "--role", "administrator"]).await;
    let (code, said) = folder.run(&["keys", "create", "k", "--workspace", "other"]).await;
    assert_eq!(code, Some(0), "{said}");
    folder.said(&["create", "eve", "--role", "administrator", "--workspace", "other"]).await;
    for command in ["disable", "enable", "reset"] {
        let (code, said) = folder.users(&[command, "eve"]).await;
        assert_eq!(code, Some(1), "{command}: {said}");
        assert!(said.contains("the workspace `default` has no account `eve`"), "{command}: {said}");
    }
    let (code, said) = folder.users(&["create", "eve", "--role", "viewer"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the name `eve` is taken, here or in another workspace"), "{said}");
    let (_, audit) = folder.run(&["audit", "list", "--workspace", "other"]).await;
    assert!(audit.contains("user_create"), "{audit}");
}
