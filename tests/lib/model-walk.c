/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the model reads, from its tables: model-walk --rows (paths), --mdoc (the listing of
 * vm-xml(5)) or --dict (a dictionary for the fuzzers).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/cleanup.h>
#include <vm/model.h>
#include <vm/strbuf.h>

struct walk {
	char group[160];
	bool open;    /* a list is begun */
	bool groups;  /* --mdoc: second pass */
	char **words; /* --dict: printed already */
	size_t n_words;
};

static void row_path(const char *path, const struct mt_row *row, void *arg)
{
	(void)arg;
	if (row->kind != MT_CASE || row->xml[0] != '.')
		puts(path);
}

/* ---- dictionary ---- */

static void word(struct walk *w, const char *before, const char *text, const char *after)
{
	struct vm_strbuf b = VM_STRBUF_INIT;

	vm_strbuf_printf(&b, "%s%s%s", before, text, after);
	for (size_t i = 0; i < w->n_words; i++)
		if (strcmp(w->words[i], b.text) == 0) {
			vm_strbuf_free(&b);
			return;
		}
	w->words = realloc(w->words, (w->n_words + 1) * sizeof(*w->words));
	if (w->words == NULL)
		exit(14);
	w->words[w->n_words++] = vm_strbuf_take(&b);
	printf("\"%s\"\n", w->words[w->n_words - 1]);
}

static void dict(const char *path, const struct mt_row *row, void *arg)
{
	const char *const *words = row->arg;
	char name[80];

	(void)path;
	for (const char *p = row->xml; *p != '\0'; p += strcspn(p, "/"), p += *p == '/') {
		size_t len = strcspn(p, "/");

		snprintf(name, sizeof(name), "%.*s", (int)len, p);
		if (name[0] == '@') {
			word(arg, " ", name + 1, "='");
		} else if (name[0] != '#' && name[0] != '*' && name[0] != '.') {
			word(arg, "<", name, ">");
			word(arg, "</", name, ">");
		}
	}
	for (int i = 0; row->kind == MT_ENUM && words[i] != NULL; i++)
		if (words[i][0] != '\0' && words[i][0] != '!')
			word(arg, "'", words[i], "'");
}

/* ---- manual ---- */

static void add(struct vm_strbuf *b, const char *text)
{
	vm_strbuf_printf(b, "%s%s", b->len > 0 ? "; " : "", text);
}

static void describe_kind(const struct mt_row *row, struct vm_strbuf *b)
{
	const struct mt_range *range = row->arg;
	const struct mt_bool *yes_no = row->arg;
	const char *const *words = row->arg;

	switch ((enum mt_kind)row->kind) {
	case MT_STR:
		vm_strbuf_puts(b, "text");
		break;
	case MT_PATH:
		vm_strbuf_puts(b, "absolute path");
		break;
	case MT_ENUM:
		for (int i = 0; words[i] != NULL; i++)
			if (words[i][0] != '\0' && words[i][0] != '!')
				vm_strbuf_printf(b, "%s%s", b->len > 0 ? ", " : "", words[i]);
		break;
	case MT_BOOL:
		if (row->flags & MT_PRESENT)
			vm_strbuf_puts(b, "there or not");
		else
			vm_strbuf_printf(b, "%s, %s", yes_no->yes, yes_no->no);
		break;
	case MT_U64:
		vm_strbuf_puts(b, row->flags & MT_HEX ? "number, also hexadecimal" : "number");
		if (range != NULL && range->max != 0)
			vm_strbuf_printf(b, ", %" PRIu64 " to %" PRIu64, range->min, range->max);
		else if (range != NULL && range->min != 0)
			vm_strbuf_printf(b, ", at least %" PRIu64, range->min);
		break;
	case MT_I64:
		vm_strbuf_puts(b, "number");
		if (range != NULL && (range->min != 0 || range->max != 0))
			vm_strbuf_printf(b, ", %" PRId64 " to %" PRId64, (int64_t)range->min,
					 (int64_t)range->max);
		break;
	case MT_SIZE:
		vm_strbuf_printf(b, "size in %s or as @unit says",
				 range != NULL && range->unit != NULL ? range->unit : "bytes");
		break;
	case MT_UUID:
		vm_strbuf_puts(b, "UUID");
		break;
	case MT_MAC:
		vm_strbuf_puts(b, "MAC address");
		break;
	case MT_CPUSET:
		vm_strbuf_puts(b, "set of CPUs");
		break;
	case MT_ONE:
	case MT_CASE:
		vm_strbuf_puts(b, "element");
		break;
	case MT_MANY:
		vm_strbuf_puts(b, "elements, any number");
		break;
	case MT_KEEP:
		vm_strbuf_puts(b, "kept as it is");
		break;
	}
}

static void describe(const struct mt_row *row, struct vm_strbuf *b)
{
	static const struct {
		enum mt_flags flag;
		const char *text;
	} flags[] = {
	    {MT_REQUIRED, "required"},
	    {MT_ASSIGNED, "given by vm-define if absent"},
	    {MT_LIVE_ONLY, "of a running guest only"},
	    {MT_SECRET, "secret"},
	};
	const char *const *words = row->arg;
	char text[80];

	describe_kind(row, b);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (row->flags & flags[i].flag)
			add(b, flags[i].text);
	if (row->def == 0)
		return;
	if (row->kind == MT_ENUM)
		snprintf(text, sizeof(text), "default %s", words[row->def]);
	else if (row->kind == MT_STR || row->kind == MT_PATH)
		snprintf(text, sizeof(text), "default %s", (const char *)(uintptr_t)row->def);
	else if (row->kind == MT_BOOL)
		snprintf(text, sizeof(text), "default %s", ((const struct mt_bool *)row->arg)->yes);
	else
		snprintf(text, sizeof(text), "default %" PRIu64, row->def);
	add(b, text);
}

static unsigned depth_of(const char *path)
{
	unsigned n = 0;

	for (; *path != '\0'; path++)
		n += *path == '/';
	return n;
}

static void begin(struct walk *w, const char *group)
{
	if (w->open)
		puts(".El");
	printf(".Ss %s\n.Bl -tag -width Ds -compact\n", group);
	w->open = true;
}

/* A tag and what it is, in lines that fit. */
static void item(const char *path, const struct mt_row *row)
{
	struct vm_strbuf b = VM_STRBUF_INIT;
	size_t column = 0, len;

	describe(row, &b);
	if (b.len > 0)
		printf(".It %s\n", path);
	for (const char *p = b.len > 0 ? b.text : ""; *p != '\0'; p += len, p += *p == ' ') {
		len = strcspn(p, " ");
		if (column > 0 && column + len + 1 > 78) {
			putchar('\n');
			column = 0;
		}
		printf("%s%.*s", column > 0 ? " " : "", (int)len, p);
		column += len + (column > 0);
	}
	if (b.len > 0)
		putchar('\n');
	vm_strbuf_free(&b);
}

/* Their backends are those of <serial>. */
static const char *const like_serial[] = {"domain/devices/parallel(", "domain/devices/console(",
					  "domain/devices/channel("};

/* First what has no section of its own, then, with w->groups, section after section. */
static void mdoc(const char *path, const struct mt_row *row, void *arg)
{
	struct walk *w = arg;
	bool device = strncmp(path, "domain/devices/", 15) == 0;
	const struct mt_type *type = row->arg;
	size_t len;

	if (device && strstr(path, "/address(") != NULL)
		return; /* the same for all devices: addresses() */
	if (row->kind == MT_CASE && row->xml[0] == '.')
		return;
	for (size_t i = 0; i < VM_COUNT(like_serial); i++)
		if (strncmp(path, like_serial[i], strlen(like_serial[i])) == 0)
			return;
	if ((row->kind == MT_ONE || row->kind == MT_MANY) && depth_of(path) == (device ? 2u : 1u) &&
	    type->n > 2) {
		snprintf(w->group, sizeof(w->group), "%s", path);
		if (w->groups)
			begin(w, path);
		return;
	}
	len = strlen(w->group);
	if (len > 0 && strncmp(path, w->group, len) == 0 &&
	    (path[len] == '/' || path[len] == '(')) {
		if (w->groups)
			item(path + len + (path[len] == '/'), row);
		return;
	}
	w->group[0] = '\0';
	if (!w->groups)
		item(path + strlen("domain/"), row);
}

/* Of the first device there is. */
static void addresses(const char *path, const struct mt_row *row, void *arg)
{
	static const char prefix[] = "domain/devices/disk/address(type=";
	char rest[160];

	if (strncmp(path, prefix, sizeof(prefix) - 1) != 0)
		return;
	if (!((struct walk *)arg)->open)
		begin(arg, "address of any device");
	snprintf(rest, sizeof(rest), "(type=%s", path + sizeof(prefix) - 1);
	item(rest, row);
}

int main(int argc, char **argv)
{
	struct walk w = {0};

	if (argc == 2 && strcmp(argv[1], "--rows") == 0) {
		mt_walk(&vm_domain_type, row_path, NULL);
	} else if (argc == 2 && strcmp(argv[1], "--dict") == 0) {
		mt_walk(&vm_domain_type, dict, &w);
	} else if (argc == 2 && strcmp(argv[1], "--mdoc") == 0) {
		begin(&w, "domain");
		mt_walk(&vm_domain_type, mdoc, &w);
		w.groups = true;
		mt_walk(&vm_domain_type, mdoc, &w);
		puts(".El");
		w.open = false;
		mt_walk(&vm_domain_type, addresses, &w);
		puts(".El");
	} else {
		fputs("Usage: model-walk --rows|--mdoc|--dict\n", stderr);
		return 2;
	}
	for (size_t i = 0; i < w.n_words; i++)
		free(w.words[i]);
	free(w.words);
	return fflush(stdout) == 0 ? 0 : 14;
}
