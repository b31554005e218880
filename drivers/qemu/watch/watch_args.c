/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The watcher's command line: written by the starter, so that ps shows which guest it belongs to. */
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cli.h>

#define ARGS_MAX 16

char **vm_watch_format(const struct vm_watch_options *o)
{
	char **argv = vm_xcalloc(ARGS_MAX + VM_WATCH_FILES, sizeof(*argv));
	unsigned n = 0;

	argv[n++] = vm_xstrdup("vm-watch");
	argv[n++] = vm_xasprintf("--connect=%s", o->connect);
	argv[n++] = vm_xasprintf("--pid=%d", (int)o->pid);
	argv[n++] = vm_xasprintf("--on-poweroff=%s", vm_watch_policies[o->poweroff]);
	argv[n++] = vm_xasprintf("--on-reboot=%s", vm_watch_policies[o->reboot]);
	argv[n++] = vm_xasprintf("--on-crash=%s", vm_watch_policies[o->crash]);
	if (o->dump)
		argv[n++] = vm_xstrdup("--dump");
	if (o->committed)
		argv[n++] = vm_xstrdup("--committed");
	if (o->foreground) {
		argv[n++] = vm_xstrdup("--foreground");
		argv[n++] = vm_xasprintf("--stop-timeout-ms=%llu",
					 (unsigned long long)o->stop_timeout_ms);
	}
	for (unsigned i = 0; i < o->nfiles; i++)
		argv[n++] = vm_xasprintf("--file=%s", o->files[i]);
	argv[n++] = vm_xstrdup(o->name);
	return argv;
}

static const char *value_of(const char *arg, const char *name)
{
	size_t len = strlen(name);

	return strncmp(arg, name, len) == 0 && arg[len] == '=' ? arg + len + 1 : NULL;
}

static int parse_policy(const char *text, enum vm_watch_policy *ret, struct vm_err *err)
{
	for (unsigned i = 0; vm_watch_policies[i] != NULL; i++) {
		if (strcmp(vm_watch_policies[i], text) == 0) {
			*ret = (enum vm_watch_policy)i;
			return 0;
		}
	}
	return vm_err_set(err, VM_USAGE, "no policy '%s'", text);
}

static int parse_one(const char *arg, struct vm_watch_options *o, struct vm_err *err)
{
	uint64_t n;
	const char *v;

	if ((v = value_of(arg, "--connect")) != NULL) {
		o->connect = v;
	} else if ((v = value_of(arg, "--pid")) != NULL) {
		if (vm_parse_u64(v, 2, 1u << 22, &n, err) < 0)
			return -1;
		o->pid = (pid_t)n;
	} else if ((v = value_of(arg, "--stop-timeout-ms")) != NULL) {
		return vm_parse_u64(v, 1, UINT64_C(1) << 40, &o->stop_timeout_ms, err);
	} else if ((v = value_of(arg, "--file")) != NULL) {
		if (o->nfiles == VM_WATCH_FILES)
			return vm_err_set(err, VM_USAGE, "at most %u files", VM_WATCH_FILES);
		o->files[o->nfiles++] = v;
	} else if ((v = value_of(arg, "--on-poweroff")) != NULL) {
		return parse_policy(v, &o->poweroff, err);
	} else if ((v = value_of(arg, "--on-reboot")) != NULL) {
		return parse_policy(v, &o->reboot, err);
	} else if ((v = value_of(arg, "--on-crash")) != NULL) {
		return parse_policy(v, &o->crash, err);
	} else if (strcmp(arg, "--dump") == 0) {
		o->dump = true;
	} else if (strcmp(arg, "--committed") == 0) {
		o->committed = true;
	} else if (strcmp(arg, "--foreground") == 0) {
		o->foreground = true;
	} else if (arg[0] == '-' || o->name != NULL) {
		return vm_err_set(err, VM_USAGE, "unexpected '%s'", arg);
	} else {
		o->name = arg;
	}
	return 0;
}

int vm_watch_parse(int argc, char **argv, struct vm_watch_options *ret, struct vm_err *err)
{
	struct vm_watch_options o = { .stop_timeout_ms = 120000 };

	for (int i = 1; i < argc; i++)
		if (parse_one(argv[i], &o, err) < 0)
			return -1;
	if (o.name == NULL || o.connect == NULL || o.pid == 0)
		return vm_err_set(err, VM_USAGE, "a guest, --connect and --pid are needed");
	*ret = o;
	return 0;
}
