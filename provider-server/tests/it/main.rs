mod oneroster;

fn main() {}
