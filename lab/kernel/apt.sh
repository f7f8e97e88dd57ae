# shellcheck shell=bash disable=SC2016,SC2034
# Lets apt search other suites, or for another architecture, than this host's. Leaves the host's packages and apt's own lists untouched.
# Sourced; gives apt_targets, codename, keyring and apt_configuration.

# apt_targets: prints the suite, the component and the mirror of each source that this host's apt uses.
apt_targets() { apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(SITE)' 'Created-By: Packages' 2>/dev/null; }

codename=$(sed -nE 's/^VERSION_CODENAME="?([^"]*)"?$/\1/p' /etc/os-release)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# apt_configuration FOLDER: makes FOLDER/apt.conf, which uses the sources in FOLDER/sources.list and keeps lists and downloads in FOLDER.
# apt reads it after the system's configuration, so that its proxies stay valid. apt stays root, as _apt cannot read the cache.
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
