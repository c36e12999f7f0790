//! Several servers on one PostgreSQL, and what is asked of that PostgreSQL. On SQLite there is one server, and these tests
//! say so.

mod commits;
mod deliveries;
mod demands;

use crate::support::on_postgres;

/// Whether this test has something to try.
fn is_shared(test: &str) -> bool {
    if !on_postgres() {
        eprintln!("{test}: not on SQLite, where there is one server; ROLLCALL_TEST_POSTGRES names a PostgreSQL");
    }
    on_postgres()
}
