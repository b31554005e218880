/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The watcher's command line: written by the starter, so that ps shows which guest it belongs to. */
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/cli.h>

void vm_watch_format(const struct vm_watch_options *o, struct vm_watch_argv *ret)
{
	unsigned n = 0;

#define ADD(...)                                                                                   \
	do {                                                                                       \
		snprintf(ret->text[n], sizeof(ret->text[n]), __VA_ARGS__);                         \
		ret->argv[n] = ret->text[n];                                                       \
		n++;                                                                               \
	} while (0)
	ADD("vm-watch");
	ADD("--connect=%s", o->connect);
	ADD("--pid=%d", (int)o->pid);
	ADD("--on-poweroff=%s", vm_watch_policies[o->poweroff]);
	ADD("--on-reboot=%s", vm_watch_policies[o->reboot]);
	ADD("--on-crash=%s", vm_watch_policies[o->crash]);
	if (o->dump)
		ADD("--dump");
	if (o->committed)
		ADD("--committed");
	if (o->foreground) {
		ADD("--foreground");
		ADD("--stop-timeout-ms=%llu", (unsigned long long)o->stop_timeout_ms);
	}
	ADD("%s", o->name);
#undef ADD
	ret->argv[n] = NULL;
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
