//! Whose data this is: noted with an enrollment, and what happens where the provider registered the school anew.

use tracing::warn;

use super::{Writer, WriterFailure, survive};
use crate::{
    inbox::{Job, Order, window::Window},
    secrets::Identity,
    store::StoreFailure,
};

impl Writer {
    pub(super) fn carry_out(&mut self, order: Order) -> Result<(), WriterFailure> {
        let Order::Identify { identity, start_after, answer } = order;
        let held = &self.identity;
        let other = |held: &str, new: &str| !held.is_empty() && !new.is_empty() && held != new;
        if other(&held.school_sourced_id, &identity.school_sourced_id)
            || other(&held.district_sourced_id, &identity.district_sourced_id)
        {
            let words = format!(
                "this data directory holds the roster of school {} of district {}: use another --data-dir",
                held.school_sourced_id, held.district_sourced_id
            );
            drop(answer.send(Err(words)));
            return Ok(());
        }
        let anew = other(&held.school_id, &identity.school_id);
        let noted = match start_after {
            // Until the confirm, the rows and the window are the earlier school's.
            None if anew => {
                self.successor = Some(identity);
                Ok(())
            }
            Some(start_after) if anew => self.begin_anew(identity, start_after),
            _ => self.note(identity, start_after.unwrap_or(0)),
        };
        match noted {
            Ok(()) => {
                drop(answer.send(Ok(())));
                Ok(())
            }
            Err(failure) => {
                drop(answer.send(Err(failure.to_string())));
                survive(failure)
            }
        }
    }

    /// The successor's first message may be faster than the answer to the confirm, which then moves the window on.
    pub(super) fn meet_successor(&mut self, jobs: &[Job]) -> Result<(), StoreFailure> {
        let Some(successor) = &self.successor else { return Ok(()) };
        let theirs = |job: &Job| job.newest.as_ref().is_some_and(|keys| keys.identity.school_id == successor.school_id);
        if jobs.iter().any(theirs) {
            let successor = successor.clone();
            self.begin_anew(successor, 0)?;
        }
        Ok(())
    }

    fn note(&mut self, identity: Identity, start_after: u64) -> Result<(), StoreFailure> {
        let mut window = self.window.clone();
        window.begin_after(start_after);
        self.store.identify(&identity, &window)?;
        (self.identity, self.window, self.successor) = (identity, window, None);
        Ok(())
    }

    /// The school was deleted at the provider and registered again: its sequences and versions begin anew, so nothing of
    /// the earlier one may stand in their way. The sync brings back who is there.
    fn begin_anew(&mut self, identity: Identity, start_after: u64) -> Result<(), StoreFailure> {
        let mut window = Window::default();
        window.begin_after(start_after);
        self.store.begin_anew(&identity, &window)?;
        warn!(school = %identity.school_id, "the provider registered this school anew: its roster is built up again");
        self.versions.clear();
        (self.identity, self.window, self.successor) = (identity, window, None);
        Ok(())
    }
}
