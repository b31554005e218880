/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits of a group that systemd has made: it would write its own values over ours at its next change. */
#include "tune.h"

#include <stdlib.h>
#include <string.h>

#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/state.h>

#include "cgroup/systemd.h"

#define LIMITS_MAX 3

static bool read_main(const struct vm_cgroup *group, const char *key, struct vm_tune_value *v,
		      bool *ret_v2)
{
	VM_AUTO(vm_tune_place_close) struct vm_tune_place p = VM_TUNE_PLACE_INIT;
	const struct vm_tunable *t = vm_tunable_find(key, strlen(key));
	struct vm_err ignored = VM_ERR_INIT;

	if (vm_tune_place_open(group, t, ".", 0, &p, &ignored) < 0 ||
	    vm_tune_read(&p, v, &ignored) != 0)
		return false;
	*ret_v2 = p.v2;
	return true;
}

/* Source: org.freedesktop.systemd1(5): CPUQuotaPerSecUSec is the time in a second of wall clock. */
static size_t limits_of(const struct vm_cgroup *group, struct vm_systemd_limit *limits)
{
	struct vm_tune_value shares, quota, period;
	bool v2 = false;
	size_t n = 0;

	if (read_main(group, "cpu_shares", &shares, &v2))
		limits[n++] = (struct vm_systemd_limit){ v2 ? "CPUWeight" : "CPUShares", shares.n };
	if (!read_main(group, "global_quota", &quota, &v2) ||
	    !read_main(group, "global_period", &period, &v2) || period.n == 0 ||
	    quota.n > UINT64_MAX / 1000000)
		return n;
	limits[n++] = (struct vm_systemd_limit){ "CPUQuotaPeriodUSec", period.n };
	limits[n++] = (struct vm_systemd_limit){
		"CPUQuotaPerSecUSec",
		/* rounded up: what systemd makes of it is then what it was */
		quota.unlimited ? UINT64_MAX
				: (quota.n * UINT64_C(1000000) + period.n - 1) / period.n };
	return n;
}

static bool concerns(const struct vm_tune_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].given && l->v[i].t->where == VM_TUNE_IN_MAIN)
			return true;
	return false;
}

void vm_tune_tell_systemd(const struct vm_guest *g, const struct vm_cgroup *group,
			  const struct vm_tune_list *l, struct vm_deadline deadline)
{
	const char *unit = vm_record_get(&g->record, VM_KEY_UNIT);
	VM_AUTO(vm_systemd_closep) struct vm_systemd *manager = NULL;
	struct vm_systemd_limit limits[LIMITS_MAX];
	struct vm_err err = VM_ERR_INIT;
	size_t n;

	if (unit == NULL || !concerns(l))
		return;
	n = limits_of(group, limits);
	vm_log_step("tell systemd the limits of %s", unit);
	if (n == 0 || (vm_systemd_open(g->state->uri.session ? secure_getenv("XDG_RUNTIME_DIR") : NULL,
				       deadline, &manager, &err) == 0 &&
		       vm_systemd_unit_set(manager, unit, limits, n, deadline, &err) == 0))
		return;
	vm_log_warning("%s: its limits are in force, but systemd may set them back: %s", g->name,
		       err.msg);
}
