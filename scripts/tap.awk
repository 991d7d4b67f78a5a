# What pg_prove --verbose printed, as one line a file and every failure in full.
# Writes the numbers of passed and failed tests to the file named by the variable counts.

function close_file() {
    if (file == "") return
    if (bad && !lost) lost = 1
    printf "%s  %s (%d)\n", (lost ? "FAILED" : "ok    "), file, good + lost
    passed += good
    failed += lost
    file = ""
}

/^[^ ]+\.sql \.+ *$/ { close_file(); file = $1; good = lost = bad = 0; quoting = 0; next }
/^Test Summary Report/ || /^All tests successful/ || /^Files=/ { close_file(); next }
file == "" { next }

/^ok / { good++; quoting = 0; next }
/^not ok .*# TODO/ { good++; quoting = 0; next }
/^not ok / { print "        " $0; quoting = 1; next }
/^Failed [0-9]+\/[0-9]+ subtests/ { split($2, part, "/"); lost = part[1]; quoting = 0; next }
/^(Dubious|No subtests run|Bailout|Result: FAIL|Parse errors)/ { print "        " $0; bad = 1; next }
/^psql:/ || /^(ERROR|FATAL|DETAIL|HINT|CONTEXT):/ { print "        " $0; quoting = 1; next }
/^1\.\.[0-9]+$/ || /^# Looks like/ { quoting = 0; next }
quoting { print "        " $0 }

END {
    close_file()
    print passed + 0, failed + 0 > counts
}
