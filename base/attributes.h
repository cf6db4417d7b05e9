/* base/attributes.h - compiler attributes that every room uses, under names that say what they promise. */
#ifndef CELLROUTER_BASE_ATTRIBUTES_H
#define CELLROUTER_BASE_ATTRIBUTES_H

/* The result tells whether the call failed: ignoring it is a compile error in development builds. */
#define MUST_USE __attribute__((warn_unused_result))

/* fmt and args are the 1-based positions of a printf format and of its first argument. */
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#endif
