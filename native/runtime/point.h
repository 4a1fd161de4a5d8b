/*
 * Names of moments at which a test lets the process die. Nothing is left of them but in the runtime that is built for
 * such tests.
 */
#ifndef HETERO_POINT_H
#define HETERO_POINT_H

#ifdef HETERO_POINTS
void hetero_point(const char *name);
#define HETERO_POINT(name) hetero_point(name)
#else
#define HETERO_POINT(name) ((void)0)
#endif

#endif
