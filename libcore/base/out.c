/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/out.h>

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/cli.h>
#include <vm/strbuf.h>

#define DEPTH_MAX 16

enum frame_kind { FRAME_TOP, FRAME_ARRAY, FRAME_ROW, FRAME_LIST, FRAME_OBJECT };

struct frame {
	enum frame_kind kind;
	size_t items;	   /* what JSON has in it so far */
	char *prefix;	   /* plain name of what is in here: "a.b." of objects, the key of a list */
	const struct vm_out_column *columns;
	size_t ncolumns;
	struct vm_strbuf joined; /* a list in plain form */
};

/* Lines kept back until their widths are known. */
struct table {
	struct vm_out_column *columns;
	size_t ncolumns;
	char **cells; /* nrows * ncolumns */
	size_t nrows;
};

struct wanted {
	char *key;
	struct vm_strbuf lines; /* its values, escaped, a line each */
	bool met;
};

struct vm_out {
	FILE *fp;
	enum vm_out_form form;
	char *schema;
	bool json, table, failed;
	bool begun, later; /* this object has its '{'; it follows a vm_out_next() */
	int error;
	struct vm_strbuf text;
	struct frame frames[DEPTH_MAX];
	size_t depth;
	struct table rows;
	struct wanted *only;
	size_t nonly;
};

static const struct vm_out_column key_columns[] = { { "key", "KEY" }, { "value", "VALUE" } };

static struct frame *top(struct vm_out *o)
{
	assert(o->depth > 0);
	return &o->frames[o->depth - 1];
}

static struct frame *push(struct vm_out *o, enum frame_kind kind)
{
	assert(o->depth < DEPTH_MAX);
	o->frames[o->depth] = (struct frame){ .kind = kind };
	return &o->frames[o->depth++];
}

static void pop(struct vm_out *o, enum frame_kind kind)
{
	struct frame *f = top(o);

	assert(f->kind == kind);
	free(f->prefix);
	vm_strbuf_free(&f->joined);
	o->depth--;
}

/* ---- JSON ---- */

/* Late, so that nothing follows the last vm_out_next(). */
static void json_begin(struct vm_out *o)
{
	o->begun = true;
	vm_strbuf_putc(&o->text, '{');
	top(o)->items = 0;
	if (o->schema) {
		vm_strbuf_puts(&o->text, "\"schema\":");
		vm_strbuf_json(&o->text, o->schema);
		top(o)->items = 1;
	}
}

static void json_key(struct vm_out *o, const char *key)
{
	struct frame *f = top(o);

	if (!o->begun)
		json_begin(o);
	if (f->items++)
		vm_strbuf_putc(&o->text, ',');
	if (f->kind == FRAME_ARRAY || f->kind == FRAME_LIST) {
		assert(!key);
		return;
	}
	assert(key);
	vm_strbuf_json(&o->text, key);
	vm_strbuf_putc(&o->text, ':');
}

/* ---- plain: tables ---- */

static size_t width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void table_line(struct vm_out *o, const struct table *t, const size_t *widths,
		       char *const *cells)
{
	size_t c, pad;

	for (c = 0; c < t->ncolumns; c++) {
		const char *cell = cells ? cells[c] : t->columns[c].header;

		vm_strbuf_puts(&o->text, cell);
		if (c + 1 == t->ncolumns)
			break;
		if (!o->table) {
			vm_strbuf_putc(&o->text, '\t');
			continue;
		}
		for (pad = width(cell); pad < widths[c] + 2; pad++)
			vm_strbuf_putc(&o->text, ' ');
	}
	vm_strbuf_putc(&o->text, '\n');
}

static void table_flush(struct vm_out *o)
{
	struct table *t = &o->rows;
	VM_AUTO_FREE size_t *widths = vm_xcalloc(t->ncolumns, sizeof(*widths));
	size_t r, c;
	bool header = o->table && t->ncolumns && t->columns[0].header;

	for (c = 0; c < t->ncolumns; c++) {
		widths[c] = header ? width(t->columns[c].header) : 0;
		for (r = 0; r < t->nrows; r++) {
			size_t w = width(t->cells[r * t->ncolumns + c]);

			widths[c] = w > widths[c] ? w : widths[c];
		}
	}
	if (header)
		table_line(o, t, widths, NULL);
	for (r = 0; r < t->nrows; r++)
		table_line(o, t, widths, t->cells + r * t->ncolumns);
	for (r = 0; r < t->nrows * t->ncolumns; r++)
		free(t->cells[r]);
	free(t->cells);
	free(t->columns);
	*t = (struct table){ 0 };
}

static void table_begin(struct vm_out *o, const struct vm_out_column *columns, size_t n)
{
	table_flush(o);
	o->rows.columns = vm_xmemdup(columns, n * sizeof(*columns));
	o->rows.ncolumns = n;
}

static void table_row(struct vm_out *o)
{
	struct table *t = &o->rows;
	size_t c;

	t->cells = vm_xreallocarray(t->cells, (t->nrows + 1) * t->ncolumns, sizeof(*t->cells));
	for (c = 0; c < t->ncolumns; c++)
		t->cells[t->nrows * t->ncolumns + c] = vm_xstrdup("-");
	t->nrows++;
}

static void table_cell(struct vm_out *o, size_t column, const char *plain)
{
	struct table *t = &o->rows;
	char **cell = &t->cells[(t->nrows - 1) * t->ncolumns + column];
	struct vm_strbuf b = VM_STRBUF_INIT;

	if (!plain || !*plain)
		return;
	vm_strbuf_escape(&b, plain);
	free(*cell);
	*cell = vm_strbuf_take(&b);
}

/* In a pipe a row can go at once: nothing has to be aligned. */
static void row_done(struct vm_out *o)
{
	struct table *t = &o->rows;
	size_t c;

	if (o->table || !t->nrows)
		return;
	table_line(o, t, NULL, t->cells);
	for (c = 0; c < t->ncolumns; c++)
		free(t->cells[c]);
	t->nrows = 0;
}

/* ---- plain: data ---- */

static void keep_wanted(struct vm_out *o, const char *name, const char *plain)
{
	size_t i;

	for (i = 0; i < o->nonly; i++) {
		if (strcmp(o->only[i].key, name) != 0)
			continue;
		o->only[i].met = true;
		vm_strbuf_escape(&o->only[i].lines, plain && *plain ? plain : "-");
		vm_strbuf_putc(&o->only[i].lines, '\n');
	}
}

/* The innermost frame that decides what plain data are: a row, a list, or the top. */
static struct frame *place(struct vm_out *o)
{
	size_t i = o->depth;

	while (i > 1 && o->frames[i - 1].kind == FRAME_OBJECT)
		i--;
	return &o->frames[i - 1];
}

static void put_plain(struct vm_out *o, const char *key, const char *plain)
{
	struct frame *f = place(o);
	VM_AUTO_FREE char *longer = NULL;
	const char *name = key;
	size_t c;

	if (top(o)->kind == FRAME_LIST) {
		if (top(o)->joined.len)
			vm_strbuf_putc(&top(o)->joined, ',');
		vm_strbuf_puts(&top(o)->joined, plain ? plain : "-");
		return;
	}
	assert(key && f->kind != FRAME_ARRAY);
	if (top(o)->prefix)
		name = longer = vm_xasprintf("%s%s", top(o)->prefix, key);
	if (f->kind == FRAME_ROW) {
		for (c = 0; o->rows.nrows && c < f->ncolumns; c++)
			if (strcmp(f->columns[c].key, name) == 0)
				table_cell(o, c, plain);
	} else if (f->kind == FRAME_TOP && o->form == VM_OUT_KEYS) {
		keep_wanted(o, name, plain);
		if (o->only || o->json)
			return;
		if (!o->rows.ncolumns)
			table_begin(o, key_columns, 2);
		table_row(o);
		table_cell(o, 0, name);
		table_cell(o, 1, plain);
		row_done(o);
	}
}

static void datum(struct vm_out *o, const char *key, const char *json, const char *plain)
{
	if (o->json) {
		json_key(o, key);
		vm_strbuf_puts(&o->text, json);
		if (o->only && top(o)->kind != FRAME_LIST)
			put_plain(o, key, plain);
	} else {
		put_plain(o, key, plain);
	}
}

void vm_out_str(struct vm_out *o, const char *key, const char *value)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	if (o->json)
		vm_strbuf_json(&b, value);
	datum(o, key, b.text, value);
}

void vm_out_u64(struct vm_out *o, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	datum(o, key, text, text);
}

void vm_out_i64(struct vm_out *o, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	datum(o, key, text, text);
}

void vm_out_bool(struct vm_out *o, const char *key, bool value)
{
	datum(o, key, value ? "true" : "false", value ? "yes" : "no");
}

void vm_out_null(struct vm_out *o, const char *key)
{
	datum(o, key, "null", NULL);
}

void vm_out_u64_as(struct vm_out *o, const char *key, uint64_t value, const char *plain)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	datum(o, key, text, plain);
}

/* Line by line, without what would act on a terminal. */
static void put_lines(struct vm_strbuf *b, char *text)
{
	char *line = text, *nl;

	for (; line; line = nl) {
		nl = strchr(line, '\n');
		if (nl)
			*nl++ = '\0';
		if (!nl && !*line && line != text)
			break;
		vm_strbuf_printable(b, line);
		vm_strbuf_putc(b, '\n');
	}
}

void vm_out_raw(struct vm_out *o, const char *key, const char *json)
{
	VM_AUTO_FREE char *flat = vm_xstrdup(json);
	char *p;

	if (!o->json && o->form != VM_OUT_KEYS && o->depth == 1) {
		table_flush(o);
		put_lines(&o->text, flat);
		return;
	}
	/* newlines can only stand between tokens */
	for (p = flat; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	datum(o, key, flat, flat);
}

/* ---- structure ---- */

void vm_out_array(struct vm_out *o, const char *key, const struct vm_out_column *columns, size_t n)
{
	bool plain = !o->json && o->form != VM_OUT_QUIET && o->depth == 1 && !o->only;
	struct frame *f;

	if (o->json) {
		json_key(o, key);
		vm_strbuf_putc(&o->text, '[');
	}
	f = push(o, FRAME_ARRAY);
	if (plain && n) {
		f->columns = columns;
		f->ncolumns = n;
		table_begin(o, columns, n);
	}
}

void vm_out_row(struct vm_out *o)
{
	const struct frame *array = top(o);
	struct frame *f;

	assert(array->kind == FRAME_ARRAY);
	if (o->json) {
		json_key(o, NULL);
		vm_strbuf_putc(&o->text, '{');
	}
	f = push(o, FRAME_ROW);
	f->columns = array->columns;
	f->ncolumns = array->ncolumns;
	if (f->ncolumns)
		table_row(o);
}

void vm_out_row_end(struct vm_out *o)
{
	if (o->json)
		vm_strbuf_putc(&o->text, '}');
	else if (top(o)->ncolumns)
		row_done(o);
	pop(o, FRAME_ROW);
}

void vm_out_array_end(struct vm_out *o)
{
	if (o->json)
		vm_strbuf_putc(&o->text, ']');
	else if (top(o)->ncolumns)
		table_flush(o);
	pop(o, FRAME_ARRAY);
}

void vm_out_list(struct vm_out *o, const char *key)
{
	struct frame *f;

	if (o->json) {
		json_key(o, key);
		vm_strbuf_putc(&o->text, '[');
	}
	assert(key);
	f = push(o, FRAME_LIST);
	f->prefix = vm_xstrdup(key);
}

void vm_out_list_end(struct vm_out *o)
{
	VM_AUTO_FREE char *key = vm_take_ptr(&top(o)->prefix);
	VM_AUTO_FREE char *joined = vm_take_ptr(&top(o)->joined.text);

	pop(o, FRAME_LIST);
	if (o->json)
		vm_strbuf_putc(&o->text, ']');
	if (!o->json || o->only)
		put_plain(o, key, joined);
}

void vm_out_object(struct vm_out *o, const char *key)
{
	const char *outer = top(o)->prefix;
	struct frame *f;

	assert(key);
	if (o->json) {
		json_key(o, key);
		vm_strbuf_putc(&o->text, '{');
	}
	f = push(o, FRAME_OBJECT);
	f->prefix = vm_xasprintf("%s%s.", outer ? outer : "", key);
}

void vm_out_object_end(struct vm_out *o)
{
	if (o->json)
		vm_strbuf_putc(&o->text, '}');
	pop(o, FRAME_OBJECT);
}

void vm_out_text(struct vm_out *o, const char *fmt, ...)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	va_list ap;

	if (o->json || o->only)
		return;
	va_start(ap, fmt);
	vm_strbuf_vprintf(&b, fmt, ap);
	va_end(ap);
	table_flush(o);
	put_lines(&o->text, b.text);
}

void vm_out_only(struct vm_out *o, const char *keys)
{
	VM_AUTO_FREE char *copy = vm_xstrdup(keys);
	char *key, *rest = copy;

	while ((key = strsep(&rest, ","))) {
		o->only = vm_xreallocarray(o->only, o->nonly + 1, sizeof(*o->only));
		o->only[o->nonly++] = (struct wanted){ .key = vm_xstrdup(key), .lines = VM_STRBUF_INIT };
	}
}

void vm_out_repeats(struct vm_out *o, const char *key)
{
	for (size_t i = 0; i < o->nonly; i++)
		o->only[i].met |= strcmp(o->only[i].key, key) == 0;
}

struct vm_out *vm_out_open(FILE *fp, enum vm_out_form form, const char *schema, bool json,
			   bool table)
{
	struct vm_out *o = vm_xcalloc(1, sizeof(*o));
	int saved = errno;

	o->fp = fp;
	o->form = form;
	o->schema = vm_xstrdup(schema);
	o->json = json;
	o->table = table || (fileno(fp) >= 0 && isatty(fileno(fp)));
	errno = saved;
	push(o, FRAME_TOP);
	return o;
}

void vm_out_drop(struct vm_out *o)
{
	size_t i;

	if (!o)
		return;
	vm_strbuf_clear(&o->text);
	while (o->depth)
		pop(o, top(o)->kind);
	table_flush(o);
	for (i = 0; i < o->nonly; i++) {
		free(o->only[i].key);
		vm_strbuf_free(&o->only[i].lines);
	}
	free(o->only);
	free(o->schema);
	vm_strbuf_free(&o->text);
	free(o);
}

static void die_of_sigpipe(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(SIGPIPE);
}

int vm_out_flush(FILE *fp, struct vm_err *err)
{
	errno = 0;
	if (fflush(fp) == 0 && !ferror(fp))
		return 0;
	if (errno == EPIPE)
		die_of_sigpipe();
	if (!errno)
		errno = EIO;
	return vm_err_sys_kind(err, VM_SYSTEM, "write output");
}

/* Writes what is ready. */
static int write_out(struct vm_out *o, struct vm_err *err)
{
	int r = 0;

	if (o->text.len && fwrite(o->text.text, 1, o->text.len, o->fp) != o->text.len) {
		if (errno == EPIPE)
			die_of_sigpipe();
		r = vm_err_sys_kind(err, VM_SYSTEM, "write output");
	} else {
		r = vm_out_flush(o->fp, err);
	}
	vm_strbuf_clear(&o->text);
	if (r < 0) {
		o->failed = true;
		o->error = err->sys;
	}
	return r;
}

/* Ends the object; an empty one counts unless it would only trail the last of several. */
static void end_object(struct vm_out *o, bool may_be_empty)
{
	if (!o->json) {
		table_flush(o);
		return;
	}
	if (!o->begun && !may_be_empty)
		return;
	if (!o->begun)
		json_begin(o);
	vm_strbuf_puts(&o->text, "}\n");
	o->begun = false;
}

void vm_out_next(struct vm_out *o)
{
	struct vm_err err;

	assert(o->depth == 1);
	end_object(o, true);
	o->later = true;
	(void)write_out(o, &err);
}

bool vm_out_failed(const struct vm_out *o)
{
	return o->failed;
}

/* All keys asked for must have been met, else nothing is printed. */
static int print_only(struct vm_out *o, struct vm_err *err)
{
	size_t i;

	for (i = 0; i < o->nonly; i++)
		if (!o->only[i].met)
			return vm_err_set(err, VM_USAGE, "there is no key '%s'", o->only[i].key);
	if (o->json)
		return 0;
	for (i = 0; i < o->nonly; i++)
		vm_strbuf_add(&o->text, o->only[i].lines.text, o->only[i].lines.len);
	return 0;
}

static const struct vm_words *dry_steps;

void vm_out_steps(const struct vm_words *steps)
{
	dry_steps = steps;
}

static void put_steps(struct vm_out *o)
{
	vm_out_list(o, "steps");
	for (size_t i = 0; i < dry_steps->n; i++)
		vm_out_str(o, NULL, dry_steps->v[i]);
	vm_out_list_end(o);
}

int vm_out_close(struct vm_out *o, struct vm_err *err)
{
	int r;

	if (!o)
		return 0;
	assert(o->depth == 1);
	if (o->json && dry_steps != NULL && !o->later)
		put_steps(o);
	end_object(o, !o->later);
	r = print_only(o, err);
	if (r == 0 && o->failed) {
		errno = o->error;
		r = vm_err_sys_kind(err, VM_SYSTEM, "write output");
	} else if (r == 0) {
		r = write_out(o, err);
	}
	vm_out_drop(o);
	return r;
}
