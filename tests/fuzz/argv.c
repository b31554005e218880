/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a definition for QEMU: refused as bad or unsupported, or completed once and for all
 * (done again, or over what is stored, it changes nothing), and planned as a command line whose
 * objects are valid JSON. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <driver.h>
#include <model/domain.h>
#include <qemu/argv/argv.h>
#include <qemu/qemu.h>
#include <vm/json.h>
#include <vm/strbuf.h>

#include "lib/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vm_err err;

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max) __attribute__((weak));
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

/* ---- documents have a device a line: lines come, go and move, numbers change ---- */

struct line {
	size_t at, len;
};

static struct line pick_line(const uint8_t *data, size_t size, unsigned random)
{
	struct line l = {0};
	size_t n = 1;

	for (size_t i = 0; i < size; i++)
		n += data[i] == '\n';
	n = random % n;
	for (size_t i = 0; i < size; i++) {
		if (n > 0 && data[i] == '\n' && --n == 0)
			l.at = i + 1;
	}
	while (l.at + l.len < size && data[l.at + l.len] != '\n')
		l.len++;
	if (l.at + l.len < size)
		l.len++;
	return l;
}

static size_t replace(uint8_t *data, size_t size, size_t max, struct line what, const uint8_t *by,
		      size_t len)
{
	if (size - what.len + len > max)
		return size;
	memmove(data + what.at + len, data + what.at + what.len, size - what.at - what.len);
	memcpy(data + what.at, by, len);
	return size - what.len + len;
}

static size_t change_number(uint8_t *data, size_t size, size_t max, unsigned random)
{
	static const char *const numbers[] = {"0",    "1",   "2",   "3",   "4",	    "7",
					      "8",    "9",   "15",  "16",  "31",    "32",
					      "0x1f", "255", "256", "511", "65535", "4294967295"};
	const char *new = numbers[random % (sizeof(numbers) / sizeof(numbers[0]))];
	struct line n = {.at = random / 32 % size};

	while (n.at < size && (data[n.at] < '0' || data[n.at] > '9'))
		n.at++;
	while (n.at + n.len < size && data[n.at + n.len] >= '0' && data[n.at + n.len] <= '9')
		n.len++;
	if (n.len == 0)
		return size;
	return replace(data, size, max, n, (const uint8_t *)new, strlen(new));
}

static size_t move_line(uint8_t *data, size_t size, size_t max, unsigned random)
{
	static uint8_t copy[1 << 16];
	struct line from = pick_line(data, size, random / 4), to;

	if (from.len > sizeof(copy))
		return size;
	memcpy(copy, data + from.at, from.len);
	if (random % 4 == 0)
		return replace(data, size, max, from, copy, 0);
	to = pick_line(data, size, random / 4 * 7 + 3);
	to.len = 0;
	return replace(data, size, max, to, copy, from.len);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	if (size == 0 || seed % 16 == 0)
		return LLVMFuzzerMutate(data, size, max);
	for (unsigned n = 1 + seed / 16 % 4; n > 0 && size > 0; n--) {
		seed = seed * 1103515245 + 12345;
		size = seed >> 16 & 1 ? change_number(data, size, max, seed >> 8)
				      : move_line(data, size, max, seed >> 8);
	}
	return size;
}

static void check_argv(const struct vm_domain *d, const struct vm_xml *doc)
{
	const struct vm_qemu_env env = {.run_path = "/run/x", .lib_path = "/lib/x", .now_s = 1};
	struct vm_argv a = VM_ARGV_INIT;
	struct vm_strbuf shell = VM_STRBUF_INIT;

	if (vm_qemu_argv(d, doc, &env, &a, &err) < 0) {
		CHECK(err.kind == VM_UNSUPPORTED);
		return;
	}
	CHECK(a.v[a.n] == NULL);
	for (size_t i = 1; i < a.n; i++)
		if (a.v[i][0] == '{' && a.v[i - 1][0] == '-' && strcmp(a.v[i - 1], "-append") != 0)
			CHECK(vm_json_valid(a.v[i], strlen(a.v[i])));
	for (size_t i = 0; i < a.nfds; i++)
		CHECK(a.fds[i].number == VM_ARGV_FIRST_FD + (int)i);
	vm_argv_shell(&a, &shell);
	vm_strbuf_free(&shell);
	vm_argv_free(&a);
}

static void check_again(const struct vm_xml *x, const struct vm_xml *stored, const char *want)
{
	struct vm_domain *d = NULL;
	struct vm_xml *doc = NULL;

	CHECK(vm_domain_complete(x, stored, &vm_qemu_completer, &doc, &d, &err) == 0);
	CHECK(strcmp(vm_xml_text(doc, NULL), want) == 0);
	vm_domain_free(d);
	vm_xml_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm_xml *x = NULL, *once = NULL;
	struct vm_domain *d = NULL;

	err = VM_ERR_INIT;
	if (vm_xml_parse((const char *)data, size, "fuzz", &x, &err) < 0)
		return 0;
	if (vm_domain_complete(x, NULL, &vm_qemu_completer, &once, &d, &err) < 0) {
		CHECK(err.kind == VM_BAD_INPUT || err.kind == VM_UNSUPPORTED);
	} else {
		const char *text = vm_xml_text(once, NULL);

		check_again(once, NULL, text);
		check_again(x, once, text);
		check_argv(d, once);
		vm_domain_free(d);
		vm_xml_free(once);
	}
	vm_xml_free(x);
	return 0;
}
