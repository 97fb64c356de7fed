//! Which program may use a store that another version of the program has migrated.
//!
//! While a deployment is updated, and after it was rolled back, an older program works on a store that a newer one has
//! migrated. So a change of the tables is made in two releases. The first has a migration whose name begins with `expand`:
//! it only adds, and the program before it does not notice. A later release has a migration whose name begins with
//! `contract`: it takes away what no program uses any more that may still run. A program refuses a store with a `contract`
//! that it does not know.

use sqlx::migrate::{Migrate as _, Migrator};
use sqlx::{PgConnection, SqliteConnection};

use super::open_error::OpenError;

const TABLE: &str = "_sqlx_migrations";
/// The migrations of a newer program.
const UNKNOWN: &str = "SELECT version, description FROM _sqlx_migrations WHERE version > $1 ORDER BY version";

/// The migrations of PostgreSQL. An `expand` that is in the database and not in this list is no error.
fn postgres() -> Migrator {
    of_this_program(sqlx::migrate!("migrations/postgres"))
}

fn sqlite() -> Migrator {
    of_this_program(sqlx::migrate!("migrations/sqlite"))
}

fn of_this_program(mut migrator: Migrator) -> Migrator {
    migrator.set_ignore_missing(true);
    migrator
}

fn newest(migrator: &Migrator) -> i64 {
    migrator.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Applies what is missing in the file of an embedded store.
pub(super) async fn migrate_sqlite(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let migrator = sqlite();
    migrator.run_direct(None, connection, false).await?;
    refuse_contracted(sqlx::query_as(UNKNOWN).bind(newest(&migrator)).fetch_all(connection).await?)
}

/// Checks that this program can use the file of an embedded store as it is. Returns the newest migration of the file.
pub(super) async fn check_sqlite(connection: &mut SqliteConnection) -> Result<i64, OpenError> {
    let applied = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success");
    let applied: Option<i64> = applied.fetch_one(&mut *connection).await?;
    let known = newest(&sqlite());
    refuse_contracted(sqlx::query_as(UNKNOWN).bind(known).fetch_all(connection).await?)?;
    Ok(applied.unwrap_or(0))
}

/// Applies what is missing in a PostgreSQL database. Only one process does this at a time: the others wait for its lock.
pub(super) async fn migrate_postgres(connection: &mut PgConnection) -> Result<(), OpenError> {
    let migrator = postgres();
    migrator.run_direct(None, connection, false).await?;
    refuse_contracted(sqlx::query_as(UNKNOWN).bind(newest(&migrator)).fetch_all(connection).await?)
}

/// Checks that this program can use a PostgreSQL database as it is.
pub(super) async fn check_postgres(connection: &mut PgConnection) -> Result<(), OpenError> {
    let needed = newest(&postgres());
    connection.ensure_migrations_table(TABLE).await?;
    let applied = connection.list_applied_migrations(TABLE).await?;
    if !applied.iter().any(|migration| migration.version == needed) {
        return Err(OpenError::Behind { needed });
    }
    refuse_contracted(sqlx::query_as(UNKNOWN).bind(needed).fetch_all(connection).await?)
}

fn refuse_contracted(unknown: Vec<(i64, String)>) -> Result<(), OpenError> {
    match unknown.into_iter().find(|(_, name)| !name.starts_with("expand")) {
        Some((version, _)) => Err(OpenError::Newer { version }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The migrations of the first releases, before there was an older program that had to go on.
    const FIRST: i64 = 3;
    /// What an older program could notice, in the words of SQL.
    const TAKES_AWAY: [&str; 7] =
        ["drop ", "rename ", "set not null", "alter column", "add constraint", "delete from", "truncate"];

    fn lists() -> [(&'static str, Migrator); 2] {
        [("postgres", postgres()), ("sqlite", sqlite())]
    }

    #[test]
    fn both_databases_have_the_same_migrations() {
        let [names, others] = lists().map(|(_, migrator)| {
            migrator.iter().map(|one| (one.version, one.description.to_string())).collect::<Vec<_>>()
        });
        assert_eq!(names, others);
    }

    #[test]
    fn a_migration_says_whether_an_older_program_can_go_on() {
        for (database, migrator) in lists() {
            for migration in migrator.iter().filter(|migration| migration.version > FIRST) {
                let (version, name) = (migration.version, &migration.description);
                let expands = name.starts_with("expand");
                assert!(
                    expands || name.starts_with("contract"),
                    "{database}: the name of {version} has to begin with `expand` or `contract`: {name}"
                );
                let sql = migration.sql.as_str().to_lowercase();
                let found = broken_rules(&sql);
                assert!(
                    !expands || found.is_empty(),
                    "{database}: {version} only expands, and has {found:?}"
                );
            }
        }
    }

    /// The parts of a migration that an older program could notice.
    fn broken_rules(sql: &str) -> Vec<String> {
        let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
        let words = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
        let statements: Vec<String> = words.split(';').map(|statement| statement.trim().to_owned()).collect();
        // An older program writes nothing to a table that it does not know.
        let is_new = |index: &str| {
            let table = index.split(" on ").nth(1).and_then(|rest| rest.split([' ', '(']).next());
            table.is_some_and(|table| {
                statements.iter().any(|statement| statement.starts_with(&format!("create table {table} ")))
            })
        };
        let found = statements
            .iter()
            .filter(|statement| {
                let adds_a_duty = statement.contains("add column")
                    && statement.contains("not null")
                    && !statement.contains("default");
                let unique = statement.starts_with("create unique index") && !is_new(statement);
                adds_a_duty || unique || TAKES_AWAY.iter().any(|words| statement.contains(words))
            })
            .cloned();
        found.collect()
    }

    #[test]
    fn what_an_older_program_could_notice_is_found() {
        for sql in [
            "alter table calls drop column kind;",
            "-- only\ndrop table calls",
            "alter table calls rename to conversations",
            "alter table calls add column zone text not null",
            "alter table calls alter column zone\n set not null",
            "create unique index on calls (zone)",
            "create table x (a text); delete\nfrom calls",
        ] {
            assert_eq!(broken_rules(sql).len(), 1, "{sql}");
        }
        for sql in [
            "create table zones (name text not null)",
            "alter table calls add column zone text",
            "alter table calls add column zone text not null default 'UTC'",
            "create index on calls (zone); -- drop nothing",
        ] {
            assert_eq!(broken_rules(sql), Vec::<String>::new(), "{sql}");
        }
    }
}
