//! The interface against a real keychain service, each in a session of its own.

mod session;
