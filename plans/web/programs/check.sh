#!/bin/sh
# The shop as a customer sees it.
exec node check.mjs
