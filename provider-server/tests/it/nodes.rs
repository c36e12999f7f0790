//! Several servers on one PostgreSQL, what is asked of that PostgreSQL, and the way to it. On SQLite there is one server, and these tests
//! say so.

mod commits;
mod copying;
mod deliveries;
mod demands;
mod imports;
mod keys;
#[cfg(unix)]
mod processes;

use crate::support::on_postgres;

/// Whether this test has something to try.
fn is_shared(test: &str) -> bool {
    if !on_postgres() {
        eprintln!("{test}: not on SQLite, where there is one server; ROLLCALL_TEST_POSTGRES names a PostgreSQL");
    }
    on_postgres()
}
