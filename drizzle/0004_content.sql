CREATE TABLE "collection_members" (
	"collection_id" uuid NOT NULL,
	"position" integer NOT NULL,
	"member_id" uuid NOT NULL,
	"play_order" text,
	"count" integer,
	"parts" text,
	CONSTRAINT "collection_members_collection_id_position_pk" PRIMARY KEY("collection_id","position")
);
--> statement-breakpoint
CREATE TABLE "timelines" (
	"channel_id" uuid PRIMARY KEY NOT NULL,
	"version" integer NOT NULL,
	"sources" text,
	"since" timestamp(3) with time zone
);
--> statement-breakpoint
ALTER TABLE "playout_checkpoints" ADD COLUMN "steps" jsonb;--> statement-breakpoint
ALTER TABLE "collection_members" ADD CONSTRAINT "collection_members_collection_id_collections_id_fk" FOREIGN KEY ("collection_id") REFERENCES "public"."collections"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "collection_members" ADD CONSTRAINT "collection_members_member_id_collections_id_fk" FOREIGN KEY ("member_id") REFERENCES "public"."collections"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "timelines" ADD CONSTRAINT "timelines_channel_id_channels_id_fk" FOREIGN KEY ("channel_id") REFERENCES "public"."channels"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "collection_members_member" ON "collection_members" USING btree ("member_id");--> statement-breakpoint
CREATE INDEX "media_show_lower" ON "media" USING btree (lower("show"));--> statement-breakpoint
CREATE INDEX "media_path" ON "media" USING btree ("path" text_pattern_ops);--> statement-breakpoint
CREATE INDEX "media_added" ON "media" USING btree ("added_at");