pub mod oneroster;
