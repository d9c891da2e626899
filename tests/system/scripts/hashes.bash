# The pipeline, over what is the same in every image; and over all of it, counted only.
find /usr/lib/python3.11 /usr/share/terminfo /usr/share/zoneinfo /etc -xdev -type f ! -name '*.pyc' | LC_ALL=C sort | xargs sha256sum | sort | uniq -c | awk '{ n += $1; last = $2 } END { print n, last }'
find / -xdev -type f -size -20k ! -path '/usr/lib/x86_64-linux-gnu/*' ! -path '/boot/*' ! -path '*.pyc' 2>/dev/null | xargs sha256sum 2>/dev/null | cut -c1-64 | sort | uniq -c | awk '$1 > 1 { twice++ } END { print (NR > 1000), (twice > 5) }'
