/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/event_kind.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <vm/cleanup.h>
#include <vm/deadline.h>

/* Source: virsh(1), `event --list`, libvirt 9.0; QEMU QMP reference 7.2. */
const struct vm_event_kind vm_event_kinds[] = {
    {"lifecycle", "started ended STOP RESUME SHUTDOWN POWERDOWN RESET SUSPEND SUSPEND_DISK WAKEUP "
		  "GUEST_PANICKED GUEST_CRASHLOADED"},
    {"reboot", "RESET"},
    {"rtc-change", "RTC_CHANGE"},
    {"watchdog", "WATCHDOG"},
    {"io-error", "BLOCK_IO_ERROR"},
    {"io-error-reason", "BLOCK_IO_ERROR"},
    {"graphics", "VNC_CONNECTED VNC_INITIALIZED VNC_DISCONNECTED SPICE_CONNECTED SPICE_INITIALIZED "
		 "SPICE_DISCONNECTED"},
    {"block-job", "BLOCK_JOB_COMPLETED BLOCK_JOB_CANCELLED BLOCK_JOB_ERROR BLOCK_JOB_READY "
		  "BLOCK_JOB_PENDING JOB_STATUS_CHANGE"},
    {"block-job-2", "BLOCK_JOB_COMPLETED BLOCK_JOB_CANCELLED BLOCK_JOB_ERROR BLOCK_JOB_READY "
		    "BLOCK_JOB_PENDING JOB_STATUS_CHANGE"},
    {"job-completed", "JOB_STATUS_CHANGE MIGRATION"},
    {"tray-change", "DEVICE_TRAY_MOVED"},
    {"pm-wakeup", "WAKEUP"},
    {"pm-suspend", "SUSPEND"},
    {"pm-suspend-disk", "SUSPEND_DISK"},
    {"balloon-change", "BALLOON_CHANGE"},
    {"device-removed", "DEVICE_DELETED"},
    {"device-removal-failed", "DEVICE_UNPLUG_GUEST_ERROR MEM_UNPLUG_ERROR"},
    {"agent-lifecycle", "VSERPORT_CHANGE"},
    {"migration-iteration", "MIGRATION_PASS"},
    {"block-threshold", "BLOCK_WRITE_THRESHOLD"},
    {"memory-failure", "MEMORY_FAILURE"},
    {"memory-device-size-change", "MEMORY_DEVICE_SIZE_CHANGE"},
    {"nic-mac-change", "NIC_RX_FILTER_CHANGED"},
    {NULL, NULL},
};

int vm_event_words_check(const struct vm_words *words, struct vm_err *err)
{
	for (size_t i = 0; i < words->n; i++) {
		const char *p = words->v[i];

		for (; *p != '\0' && (isalnum((unsigned char)*p) || strchr("_-*?[]!", *p) != NULL);
		     p++)
			;
		if (words->v[i][0] == '\0' || *p != '\0')
			return vm_err_set(err, VM_USAGE, "no event is called '%s'", words->v[i]);
	}
	return 0;
}

static bool list_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; *p != '\0'; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		if (n == len && strncasecmp(p, word, n) == 0)
			return true;
		p += n;
	}
	return false;
}

bool vm_event_matches(const struct vm_words *words, const char *event)
{
	if (words->n == 0)
		return true;
	for (size_t i = 0; i < words->n; i++) {
		if (fnmatch(words->v[i], event, FNM_CASEFOLD) == 0)
			return true;
		for (const struct vm_event_kind *k = vm_event_kinds; k->name != NULL; k++)
			if (strcmp(k->name, words->v[i]) == 0 && list_has(k->events, event))
				return true;
	}
	return false;
}

static int parse_ago(const char *text, uint64_t *ret_us)
{
	static const struct {
		const char *unit;
		uint64_t seconds;
	} units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
	uint64_t n, now = vm_realtime_ms();
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno != 0 || !isdigit((unsigned char)text[0]) || n > 1000000000)
		return -1;
	for (size_t i = 0; i < VM_COUNT(units); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		n *= units[i].seconds * 1000;
		*ret_us = (n < now ? now - n : 0) * 1000;
		return 0;
	}
	return -1;
}

static int parse_date(const char *text, uint64_t *ret_us)
{
	static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S",
					    "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"};

	for (size_t i = 0; i < VM_COUNT(forms); i++) {
		struct tm tm = {.tm_isdst = -1};
		const char *end = strptime(text, forms[i], &tm);
		time_t t;

		if (end == NULL || *end != '\0')
			continue;
		tm.tm_isdst = -1;
		t = mktime(&tm);
		if (t < 0)
			return -1;
		*ret_us = (uint64_t)t * 1000000;
		return 0;
	}
	return -1;
}

int vm_when_parse(const char *text, uint64_t *ret_us, struct vm_err *err)
{
	uint64_t seconds;
	struct vm_err ignored = VM_ERR_INIT;

	if (text[0] == '@' &&
	    vm_parse_u64(text + 1, 0, UINT64_MAX / 1000000, &seconds, &ignored) == 0) {
		*ret_us = seconds * 1000000;
		return 0;
	}
	if (text[0] != '@' && (parse_ago(text, ret_us) == 0 || parse_date(text, ret_us) == 0))
		return 0;
	vm_err_set(err, VM_USAGE, "'%s' is no point in time", text);
	return vm_err_hint(err, "give NUMBER[smhd] ago, @SECONDS, or YYYY-MM-DD[ HH:MM[:SS]]");
}
