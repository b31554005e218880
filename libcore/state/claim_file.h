/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A claim's file, for what takes, drops and repairs claims. */
#include "state/internal.h"

#define CLAIM_OWN_LIST	   "claims" /* in the guest's run directory: the keys it may have claims on */
#define CLAIM_LOCK_WAIT_MS 5000

/* user, mode and what are parallel lists. */
struct claim {
	struct claim_use {
		char *user;
		enum vm_claim_mode mode;
		char *what;
	} * v;
	size_t n;
};

void claim_free(struct claim *c);
void claim_add(struct claim *c, const char *user, enum vm_claim_mode mode, const char *what);
void claim_del(struct claim *c, size_t i);
/* A key without a file is a claim of nobody; storing that removes the file. */
int claim_load(int dir, const char *key, struct claim *ret, struct vm_err *err);
int claim_store(int dir, const char *key, const struct claim *c, struct vm_err *err);
int claim_key_check(const char *key, struct vm_err *err);
int claims_lock(const struct vm_state *s, int *ret_lock, struct vm_err *err);
/* "DRIVER/NAME"; owned. */
char *claim_user(const struct vm_guest *g);

/* DEAD: it has a rest that must be reconciled before its claim may go. */
enum claim_presence { CLAIM_GONE, CLAIM_THERE, CLAIM_DEAD };
enum claim_presence claim_user_presence(const struct vm_state *s, const char *user);
