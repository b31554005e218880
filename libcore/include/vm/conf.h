/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* /etc/vm/vm.conf and the files of conf.d: "key = value" lines; unknown keys are refused by line (vm.conf(5)). */
#include <stdbool.h>
#include <stdint.h>

#include <vm/err.h>

struct vm_conf {
	uint64_t uid_first, uid_count; /* range of guests' own ids */
	char *group;		       /* who may look into /run/vm */
	char *cgroup_device_acl;       /* paths, comma-separated; NULL = built-in list */
	int acl_backend;	       /* auto v1 v2 both none */
	bool private_dev, convert_shares;
	char *hooks_path;
	uint64_t stop_timeout_ms, hook_timeout_ms;
	uint64_t parallel;
	uint64_t log_bytes, log_files, events_bytes;
	char *vnc_listen;
	char *emulator; /* NULL = by architecture in PATH */
	uint64_t migration_port_first, migration_port_count;
};
/* One row of the table that parses, documents (vm-doctor config) and frees it. */
struct vm_conf_key {
	const char *name;
	uint8_t kind; /* enum vm_opt_kind */
	uint16_t off;
	const void *words;
	const char *def;  /* default as text */
	const char *help; /* one line */
	uint64_t min, max; /* of numbers; max 0 = any */
	const char *alias; /* what the file calls it, where the member's name carries a unit */
};
extern const struct vm_conf_key vm_conf_keys[]; /* ends with a NULL name */
/* Reads both places; missing files are fine.  *ret_from (may be NULL) gets, per key, where its value
 * came from ("default" or FILE:LINE), in the order of vm_conf_keys, for vm_conf_from_free().  etc_fd is
 * <sysconf>/vm; -1 = defaults only.  A key twice in a file, an unknown one, a bad value: VM_BAD_INPUT. */
int vm_conf_load(int etc_fd, struct vm_conf *ret, char ***ret_from, struct vm_err *err);
void vm_conf_from_free(char **from);
void vm_conf_free(struct vm_conf *c);
/* Its name in the file. */
const char *vm_conf_key_name(const struct vm_conf_key *key);
/* One file's text (it is changed), without defaults: for tests. */
int vm_conf_parse(char *text, size_t len, struct vm_conf *ret, struct vm_err *err);
