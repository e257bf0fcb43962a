/*
 * The runtime that is prepended to every compiled program. It uses only the C11 standard library
 * without libm, so `cc -std=c11 program.c` is enough. The generator defines the limits and messages
 * (PC_MAX_STRING_BYTES, PC_FAULT_OVERFLOW, ...) before it, with the values of the interpreter.
 * Strings are freed only when the program exits.
 */
#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 12)
/* Infinite recursion is allowed in the source language; pc_enter stops it. */
#pragma GCC diagnostic ignored "-Winfinite-recursion"
#endif

#if defined(__clang__)
/* A program uses a part of the runtime. Its own functions are looked at, below. */
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunused-function"
#endif

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int pc_depth;

_Noreturn static inline void pc_fault(const char *message, const char *place) {
  fflush(stdout);
  fprintf(stderr, "runtime error at %s: %s\n", place, message);
  exit(PC_FAULT_EXIT_CODE);
}

static inline void pc_enter(const char *place) {
  if (++pc_depth > PC_MAX_CALL_DEPTH) pc_fault(PC_FAULT_TOO_DEEP, place);
}
static inline void pc_leave(void) { --pc_depth; }

/* Advances a counted loop. Compares before adding, so the last value can be the largest int. */
static inline bool pc_next(int64_t *at, int64_t last) {
  if (*at >= last) return false;
  *at += 1;
  return true;
}

/* int: 64 bits, checked */
static inline int64_t pc_int_add(int64_t a, int64_t b, const char *place) {
  int64_t r;
  if (__builtin_add_overflow(a, b, &r)) pc_fault(PC_FAULT_OVERFLOW, place);
  return r;
}
static inline int64_t pc_int_subtract(int64_t a, int64_t b, const char *place) {
  int64_t r;
  if (__builtin_sub_overflow(a, b, &r)) pc_fault(PC_FAULT_OVERFLOW, place);
  return r;
}
static inline int64_t pc_int_multiply(int64_t a, int64_t b, const char *place) {
  int64_t r;
  if (__builtin_mul_overflow(a, b, &r)) pc_fault(PC_FAULT_OVERFLOW, place);
  return r;
}
static inline int64_t pc_int_divide(int64_t a, int64_t b, const char *place) {
  if (b == 0) pc_fault(PC_FAULT_DIVISION_BY_ZERO, place);
  if (b == -1) return pc_int_subtract(0, a, place);
  return a / b;
}
static inline int64_t pc_int_remainder(int64_t a, int64_t b, const char *place) {
  if (b == 0) pc_fault(PC_FAULT_DIVISION_BY_ZERO, place);
  return b == -1 ? 0 : a % b;
}
static inline int64_t pc_int_power(int64_t base, int64_t exponent, const char *place) {
  if (exponent < 0) pc_fault(PC_FAULT_NEGATIVE_EXPONENT, place);
  int64_t result = 1;
  int64_t square = base;
  for (int64_t left = exponent; left > 0;) {
    if (left % 2 == 1) result = pc_int_multiply(result, square, place);
    left /= 2;
    if (left > 0) square = pc_int_multiply(square, square, place);
  }
  return result;
}
static inline int64_t pc_int_negate(int64_t a, const char *place) { return pc_int_subtract(0, a, place); }
static inline int64_t pc_int_abs(int64_t a, const char *place) { return a < 0 ? pc_int_negate(a, place) : a; }
static inline int64_t pc_int_min(int64_t a, int64_t b) { return b < a ? b : a; }
static inline int64_t pc_int_max(int64_t a, int64_t b) { return a < b ? b : a; }
static inline bool pc_int_equal(int64_t a, int64_t b) { return a == b; }
static inline bool pc_int_not_equal(int64_t a, int64_t b) { return a != b; }
static inline bool pc_int_less(int64_t a, int64_t b) { return a < b; }
static inline bool pc_int_less_or_equal(int64_t a, int64_t b) { return a <= b; }
static inline bool pc_int_greater(int64_t a, int64_t b) { return a > b; }
static inline bool pc_int_greater_or_equal(int64_t a, int64_t b) { return a >= b; }

/* float: IEEE 754 double */
static inline double pc_float_add(double a, double b) { return a + b; }
static inline double pc_float_subtract(double a, double b) { return a - b; }
static inline double pc_float_multiply(double a, double b) { return a * b; }
static inline double pc_float_divide(double a, double b) { return a / b; }
static inline double pc_float_power(double base, int64_t exponent) {
  double result = 1.0;
  double square = base;
  uint64_t left = exponent < 0 ? 0 - (uint64_t)exponent : (uint64_t)exponent;
  for (; left > 0; left /= 2) {
    if (left % 2 == 1) result *= square;
    square *= square;
  }
  return exponent < 0 ? 1.0 / result : result;
}
static inline double pc_float_negate(double a) { return -a; }
static inline double pc_float_abs(double a) { return a <= 0.0 ? 0.0 - a : a; }
static inline double pc_float_min(double a, double b) { return b < a ? b : a; }
static inline double pc_float_max(double a, double b) { return a < b ? b : a; }
static inline bool pc_float_equal(double a, double b) { return a == b; }
static inline bool pc_float_not_equal(double a, double b) { return a != b; }
static inline bool pc_float_less(double a, double b) { return a < b; }
static inline bool pc_float_less_or_equal(double a, double b) { return a <= b; }
static inline bool pc_float_greater(double a, double b) { return a > b; }
static inline bool pc_float_greater_or_equal(double a, double b) { return a >= b; }
static inline double pc_int_to_float(int64_t a) { return (double)a; }
static inline int64_t pc_float_to_int(double a, const char *place) {
  if (!(a >= -9223372036854775808.0 && a < 9223372036854775808.0)) pc_fault(PC_FAULT_NO_INT, place);
  return (int64_t)a;
}
static inline int64_t pc_float_floor(double a, const char *place) {
  int64_t whole = pc_float_to_int(a, place);
  return (double)whole > a ? whole - 1 : whole;
}

/* bool */
static inline bool pc_bool_equal(bool a, bool b) { return a == b; }
static inline bool pc_bool_not_equal(bool a, bool b) { return a != b; }

/* string: UTF-8 without NUL */
static inline char *pc_allocate(size_t bytes) {
  char *memory = malloc(bytes);
  if (memory == NULL) {
    fflush(stdout);
    fputs("out of memory\n", stderr);
    abort();
  }
  return memory;
}
static inline const char *pc_string_add(const char *a, const char *b, const char *place) {
  size_t left = strlen(a);
  size_t right = strlen(b);
  if (left + right > PC_MAX_STRING_BYTES) pc_fault(PC_FAULT_STRING_TOO_LONG, place);
  char *whole = pc_allocate(left + right + 1);
  memcpy(whole, a, left);
  memcpy(whole + left, b, right + 1);
  return whole;
}
static inline bool pc_string_equal(const char *a, const char *b) { return strcmp(a, b) == 0; }
static inline bool pc_string_not_equal(const char *a, const char *b) { return strcmp(a, b) != 0; }
static inline bool pc_string_less(const char *a, const char *b) { return strcmp(a, b) < 0; }
static inline bool pc_string_less_or_equal(const char *a, const char *b) { return strcmp(a, b) <= 0; }
static inline bool pc_string_greater(const char *a, const char *b) { return strcmp(a, b) > 0; }
static inline bool pc_string_greater_or_equal(const char *a, const char *b) { return strcmp(a, b) >= 0; }
static inline bool pc_starts_point(char byte) { return ((unsigned char)byte & 0xC0) != 0x80; }
static inline int64_t pc_string_length(const char *text) {
  int64_t points = 0;
  for (; *text != '\0'; text += 1) points += pc_starts_point(*text);
  return points;
}
/* Returns the first byte after `points` code points, or the end. */
static inline const char *pc_skip(const char *text, int64_t points) {
  for (; points > 0 && *text != '\0'; points -= 1) {
    do text += 1;
    while (!pc_starts_point(*text));
  }
  return text;
}
static inline const char *pc_string_substring(const char *text, int64_t start, int64_t count) {
  const char *from = pc_skip(text, start);
  const char *to = pc_skip(from, count);
  size_t bytes = (size_t)(to - from);
  char *part = pc_allocate(bytes + 1);
  memcpy(part, from, bytes);
  part[bytes] = '\0';
  return part;
}

/* conversion to text */
static inline const char *pc_int_text(int64_t a) {
  char *text = pc_allocate(24);
  snprintf(text, 24, "%" PRId64, a);
  return text;
}
static inline char *pc_write(char *at, const char *text) {
  strcpy(at, text);
  return at + strlen(text);
}
/*
 * Writes the shortest decimal, rounded half to even, that parses back to the same value: at most
 * 17 digits and 31 characters.
 */
static inline void pc_write_float(double a, char text[32]) {
  if (a != a) {
    pc_write(text, "nan");
    return;
  }
  if (a - a != 0.0) {
    pc_write(text, a > 0.0 ? "inf" : "-inf");
    return;
  }
  if (a == 0.0) {
    pc_write(text, 1.0 / a < 0.0 ? "-0.0" : "0.0");
    return;
  }
  double magnitude = a < 0.0 ? -a : a;
  char decimal[64];
  for (int digits = 1; digits <= 17; digits += 1) {
    snprintf(decimal, sizeof decimal, "%.*e", digits - 1, magnitude);
    if (strtod(decimal, NULL) == magnitude) break;
  }
  char digits[20];
  int count = 0;
  const char *at = decimal;
  for (; *at != 'e'; at += 1) {
    if (*at != '.') digits[count++] = *at;
  }
  int exponent = (int)strtol(at + 1, NULL, 10);
  while (count > 1 && digits[count - 1] == '0') count -= 1;
  char *end = text;
  if (a < 0.0) *end++ = '-';
  if (exponent < -5 || exponent > 15) {
    *end++ = digits[0];
    if (count > 1) *end++ = '.';
    for (int i = 1; i < count; i += 1) *end++ = digits[i];
    snprintf(end, 8, "e%+d", exponent);
    return;
  }
  if (exponent < 0) {
    end = pc_write(end, "0.");
    for (int i = -1; i > exponent; i -= 1) *end++ = '0';
    for (int i = 0; i < count; i += 1) *end++ = digits[i];
  } else {
    for (int i = 0; i <= exponent; i += 1) *end++ = i < count ? digits[i] : '0';
    *end++ = '.';
    if (count <= exponent + 1) *end++ = '0';
    for (int i = exponent + 1; i < count; i += 1) *end++ = digits[i];
  }
  *end = '\0';
}
static inline const char *pc_float_text(double a) {
  char *text = pc_allocate(32);
  pc_write_float(a, text);
  return text;
}

/* output */
static inline void pc_put(const char *text) { fputs(text, stdout); }
static inline void pc_put_string(const char *a) { fputs(a, stdout); }
static inline void pc_put_int(int64_t a) { printf("%" PRId64, a); }
static inline void pc_put_float(double a) {
  char text[32];
  pc_write_float(a, text);
  fputs(text, stdout);
}

#if defined(__clang__)
#pragma clang diagnostic pop
#endif
