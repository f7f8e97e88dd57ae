# shellcheck shell=bash disable=SC2016,SC2034
# Has apt look into other suites or for another architecture than this machine's; sourced. What it installs and its lists are not touched.

# apt_targets: the suite and the mirror of each source that this machine's apt uses.
apt_targets() { apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(SITE)' 'Created-By: Packages' 2>/dev/null; }

codename=$(sed -nE 's/^VERSION_CODENAME="?([^"]*)"?$/\1/p' /etc/os-release)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# apt_configuration FOLDER: makes FOLDER/apt.conf, for the sources that FOLDER/sources.list has; lists and downloads lie in FOLDER.
# It comes after the system's configuration, whose proxies and the like stay valid. Root's _apt cannot read the cache.
apt_configuration() {
	mkdir -p "$1/state/lists/partial" "$1/cache/archives/partial"
	cat >"$1/apt.conf" <<-END
		Dir::State "$1/state";
		Dir::State::status "/dev/null";
		Dir::Cache "$1/cache";
		Dir::Etc::sourcelist "$1/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		APT::Sandbox::User "root";
		Acquire::Languages "none";
		#clear APT::Default-Release;
		#clear APT::Update;
	END
}
