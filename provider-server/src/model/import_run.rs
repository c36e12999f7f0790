//! Where an import run is, and what it found. Pure.

/// The states of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Being read, checked and planned.
    Checking,
    /// Waits for staff.
    Held,
    /// Being applied.
    Applying,
    /// Done.
    Applied,
    /// Nothing was applied.
    Failed,
    /// Staff decided against it.
    Discarded,
    /// Stopped; what was applied stays.
    Cancelled,
    /// Being taken back.
    Undoing,
    /// Taken back.
    Undone,
}

impl RunState {
    const ALL: [Self; 9] = [
        Self::Checking,
        Self::Held,
        Self::Applying,
        Self::Applied,
        Self::Failed,
        Self::Discarded,
        Self::Cancelled,
        Self::Undoing,
        Self::Undone,
    ];

    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Held => "held",
            Self::Applying => "applying",
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::Discarded => "discarded",
            Self::Cancelled => "cancelled",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
        }
    }

    /// From what is stored.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether the server works on it.
    pub fn is_at_work(self) -> bool {
        matches!(self, Self::Checking | Self::Applying | Self::Undoing)
    }
}

/// What a run does, in students.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Counts {
    pub created: u64,
    pub updated: u64,
    pub deleted: u64,
    pub unchanged: u64,
}

impl Counts {
    /// Everything that is a change.
    pub fn changes(&self) -> u64 {
        self.created + self.updated + self.deleted
    }
}
