//! The role that each rpc needs, read from the schema's `access` option.

use std::{collections::HashMap, sync::LazyLock};

use prost_reflect::Value;

use crate::{json::POOL, provider::v1::Role};

/// Roles by rpc path (`/rollcall.provider.v1.StudentService/PutStudent`). An rpc without the option is absent and
/// must be refused.
pub static ACCESS: LazyLock<HashMap<String, Vec<Role>>> = LazyLock::new(|| {
    let extension = POOL.get_extension_by_name("rollcall.provider.v1.access").expect("access.proto defines the option");
    let mut access = HashMap::new();
    for service in POOL.services().filter(|s| s.package_name() == "rollcall.provider.v1") {
        for method in service.methods() {
            let options = method.options();
            if !options.has_extension(&extension) {
                continue;
            }
            let Value::Message(rule) = &*options.get_extension(&extension) else { continue };
            let Some(allow) = rule.get_field_by_name("allow") else { continue };
            let roles = allow
                .as_list()
                .unwrap_or_default()
                .iter()
                .filter_map(|v| Role::try_from(v.as_enum_number()?).ok())
                .collect();
            access.insert(format!("/{}/{}", service.full_name(), method.name()), roles);
        }
    }
    access
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rpc_declares_who_may_call_it() {
        for service in POOL.services().filter(|s| s.package_name() == "rollcall.provider.v1") {
            for method in service.methods() {
                let path = format!("/{}/{}", service.full_name(), method.name());
                let roles = ACCESS.get(&path).unwrap_or_else(|| panic!("{path} has no access option"));
                assert!(!roles.is_empty(), "{path} allows nobody");
                assert!(!roles.contains(&Role::Unspecified), "{path} names an unspecified role");
            }
        }
    }
}
