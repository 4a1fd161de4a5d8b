/* Stands where hami-vnpu-core has the library that is preloaded into programs, so that a loader finds one. It keeps no
 * limits: what it would be told is in the variables that a program finds, and no chip computes here. */

__attribute__((visibility("default"))) const char hetero_sim_vnpu[] = "simulated: no limits are kept";
