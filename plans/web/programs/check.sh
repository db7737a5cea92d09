#!/bin/sh
# Checks the shop as a customer sees it.
exec node check.mjs
