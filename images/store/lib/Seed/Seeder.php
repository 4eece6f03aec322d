<?php

declare(strict_types=1);

namespace Urumi\Seed;

use Urumi\Files;

/**
 * Brings the image's plugins and themes into wp-content and touches nothing of the owner's.
 *
 * A piece is copied aside, synced, renamed into place, and stamped last; a kill at any moment is
 * made good by the next run. The web container and the agent each run it before they go on, so neither has to be
 * told by the other; a lock has one of them do it, and the other find it done.
 */
final class Seeder
{
    private const FOLDERS = ['plugins', 'themes', 'uploads', 'languages', 'upgrade'];

    public function __construct(
        private readonly string $bundle,
        private readonly string $content,
        private readonly string $records,
    ) {
    }

    /** @return list<string> What was brought, as kind/name. Raises RuntimeException if wp-content cannot be written. */
    public function run(): array
    {
        foreach (self::FOLDERS as $folder) {
            Files::makeFolder("$this->content/$folder");
        }
        $lock = Files::locked("$this->records/seed/lock");
        Files::remove("$this->records/seed/new");
        $brought = [];
        foreach (Piece::all($this->bundle) as $piece) {
            if ($this->bring($piece)) {
                $brought[] = "$piece->kind/$piece->name";
            }
        }
        Files::remove("$this->records/seed/old");
        fclose($lock);
        return $brought;
    }

    private function bring(Piece $ours): bool
    {
        $stampFile = "$this->records/seed/stamps/$ours->kind/$ours->name";
        $stamp = Stamp::read($stampFile);
        $image = Stamp::of($ours);
        $there = $ours->in($this->content);
        $aside = $ours->in("$this->records/seed/old");

        switch (self::judge($stamp, $image, $there, $aside->exists())) {
            case Verdict::Leave:
                return false;
            case Verdict::Stamp:
                $image->write($stampFile);
                return false;
            case Verdict::Bring:
                $this->replace($ours, $there, $aside);
                $image->write($stampFile);
                return true;
        }
    }

    private static function judge(?Stamp $stamp, Stamp $image, Piece $there, bool $aside): Verdict
    {
        if (!$there->exists()) {
            // A stamp without the piece: the owner removed it, unless a kill came between the two renames.
            return $stamp === null || $aside ? Verdict::Bring : Verdict::Leave;
        }
        if ($stamp == $image) {
            return Verdict::Leave;
        }
        $version = $there->version();
        if ($stamp !== null && $stamp->version === $version) {
            return Verdict::Bring; // ours, untouched, and the image has another one, newer or older
        }
        if ($version === $image->version) {
            return Verdict::Stamp; // killed between the rename and the stamp
        }
        // Without a stamp it is the owner's own. With one, the owner updated ours.
        return $stamp !== null && version_compare($version, $image->version, '<') ? Verdict::Bring : Verdict::Leave;
    }

    private function replace(Piece $ours, Piece $there, Piece $aside): void
    {
        $new = $ours->in("$this->records/seed/new");
        Files::copyTree($ours->path(), $new->path());
        Files::sync($this->content);
        if ($there->exists()) {
            Files::remove($aside->path());
            Files::makeFolder(dirname($aside->path()));
            Files::rename($there->path(), $aside->path());
        }
        Files::rename($new->path(), $there->path());
        Files::sync($this->content);
    }
}
